//! One kept-alive HTTP/1.1 connection: writes a request, reads its answer.
//!
//! It does as little as it can, so that what is measured is the server. Redirects, compression and pipelining are
//! unknown to it. It must not know what any answer means.

use std::net::SocketAddr;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The longest status line and headers that are read, in bytes.
const HEAD_MAX_BYTES: usize = 1 << 16;
/// The longest body that is read, in bytes.
const BODY_MAX_BYTES: usize = 1 << 26;
/// The longest line between the chunks of a body, in bytes.
const LINE_MAX_BYTES: usize = 1 << 12;
/// Room for one read from the socket, in bytes.
const READ_BYTES: usize = 1 << 14;
/// Interim answers (1xx) before the real one.
const MAX_INTERIM: usize = 8;

/// Why an answer could not be read.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The connection could not be opened, or broke.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The server closed the connection in the middle of an answer, or before it.
    #[error("the server closed the connection before its answer was complete")]
    Closed,
    /// What came is not HTTP/1.1.
    #[error("the answer is not HTTP/1.1: {0}")]
    Malformed(&'static str),
    /// No answer came in time.
    #[error("no answer came in time")]
    Late,
}

/// What is known of an answer that has been read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Bytes on the wire: status line, headers and body with its framing.
    pub wire_bytes: usize,
    /// Whether the connection can carry another request.
    pub reusable: bool,
}

/// A whole answer, for those who want to look at it.
#[derive(Debug, Clone, Default)]
pub struct Whole {
    /// Status line and headers, with the empty line behind them.
    pub head: Vec<u8>,
    /// The body without its framing.
    pub body: Vec<u8>,
}

/// One connection; after an error it must be thrown away.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: BytesMut,
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Result<Self, HttpError> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: BytesMut::with_capacity(READ_BYTES) })
    }

    /// Sends one GET request and reads its answer, into `whole` if that is given.
    pub async fn ask(&mut self, request: &[u8], mut whole: Option<&mut Whole>) -> Result<Answer, HttpError> {
        self.stream.write_all(request).await?;
        let mut wire_bytes = 0;
        let head = self.final_head(&mut wire_bytes, whole.as_deref_mut()).await?;
        let sink = whole.map(|whole| &mut whole.body);
        wire_bytes += match head.body {
            Framing::Bytes(length) => self.take(length, sink).await?,
            Framing::Chunked => self.take_chunks(sink).await?,
            Framing::UntilClose => self.take_rest(sink).await?,
        };
        // Bytes behind the answer were not asked for: the next answer would be read out of step.
        let reusable = head.keep_alive && self.buffer.is_empty();
        Ok(Answer { status: head.status, wire_bytes, reusable })
    }

    async fn final_head(&mut self, wire_bytes: &mut usize, whole: Option<&mut Whole>) -> Result<Head, HttpError> {
        for _ in 0..MAX_INTERIM {
            let length = self.head_length().await?;
            let head = Head::parse(&self.buffer[..length])?;
            *wire_bytes += length;
            if head.status >= 200 {
                if let Some(whole) = whole {
                    whole.head = self.buffer[..length].to_vec();
                }
                self.buffer.advance(length);
                return Ok(head);
            }
            self.buffer.advance(length);
        }
        Err(HttpError::Malformed("too many interim answers"))
    }

    async fn head_length(&mut self) -> Result<usize, HttpError> {
        const END: &[u8] = b"\r\n\r\n";
        let mut seen = 0;
        loop {
            if let Some(at) = self.buffer[seen..].windows(END.len()).position(|window| window == END) {
                return Ok(seen + at + END.len());
            }
            // The end may lie across the border of two reads.
            seen = self.buffer.len().saturating_sub(END.len() - 1);
            if self.buffer.len() > HEAD_MAX_BYTES {
                return Err(HttpError::Malformed("its headers do not end"));
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Result<(), HttpError> {
        self.buffer.reserve(READ_BYTES);
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(HttpError::Closed),
            _ => Ok(()),
        }
    }

    async fn take(&mut self, length: usize, mut sink: Option<&mut Vec<u8>>) -> Result<usize, HttpError> {
        if length > BODY_MAX_BYTES {
            return Err(HttpError::Malformed("its body is too long"));
        }
        let mut missing = length;
        while missing > 0 {
            if self.buffer.is_empty() {
                self.fill().await?;
            }
            let here = missing.min(self.buffer.len());
            if let Some(sink) = sink.as_deref_mut() {
                sink.extend_from_slice(&self.buffer[..here]);
            }
            self.buffer.advance(here);
            missing -= here;
        }
        Ok(length)
    }

    async fn take_chunks(&mut self, mut sink: Option<&mut Vec<u8>>) -> Result<usize, HttpError> {
        let mut wire_bytes = 0;
        loop {
            let (size, line_bytes) = self.chunk_size().await?;
            wire_bytes += line_bytes;
            if size == 0 {
                break;
            }
            wire_bytes += self.take(size, sink.as_deref_mut()).await?;
            let (is_end, line_bytes) = self.line(|line| line.is_empty()).await?;
            if !is_end {
                return Err(HttpError::Malformed("a chunk is longer than its size"));
            }
            wire_bytes += line_bytes;
            if wire_bytes > BODY_MAX_BYTES {
                return Err(HttpError::Malformed("its body is too long"));
            }
        }
        // Trailers, up to an empty line.
        loop {
            let (is_last, line_bytes) = self.line(|line| line.is_empty()).await?;
            wire_bytes += line_bytes;
            if is_last {
                return Ok(wire_bytes);
            }
            if wire_bytes > BODY_MAX_BYTES {
                return Err(HttpError::Malformed("its trailers do not end"));
            }
        }
    }

    async fn chunk_size(&mut self) -> Result<(usize, usize), HttpError> {
        let parse = |line: &[u8]| {
            let digits = line.split(|byte| *byte == b';').next()?.trim_ascii();
            usize::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
        };
        let (size, line_bytes) = self.line(parse).await?;
        Ok((size.ok_or(HttpError::Malformed("a chunk has no size"))?, line_bytes))
    }

    /// Reads one line without its end, and how many bytes it took with it.
    async fn line<T>(&mut self, read: impl Fn(&[u8]) -> T) -> Result<(T, usize), HttpError> {
        loop {
            if let Some(at) = self.buffer.windows(2).position(|window| window == b"\r\n") {
                let value = read(&self.buffer[..at]);
                self.buffer.advance(at + 2);
                return Ok((value, at + 2));
            }
            if self.buffer.len() > LINE_MAX_BYTES {
                return Err(HttpError::Malformed("a line between chunks does not end"));
            }
            self.fill().await?;
        }
    }

    async fn take_rest(&mut self, mut sink: Option<&mut Vec<u8>>) -> Result<usize, HttpError> {
        let mut wire_bytes = 0;
        loop {
            let here = self.buffer.len();
            wire_bytes += self.take(here, sink.as_deref_mut()).await?;
            if wire_bytes > BODY_MAX_BYTES {
                return Err(HttpError::Malformed("its body is too long"));
            }
            match self.fill().await {
                Ok(()) => {}
                Err(HttpError::Closed) => return Ok(wire_bytes),
                Err(error) => return Err(error),
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Bytes(usize),
    Chunked,
    UntilClose,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    status: u16,
    body: Framing,
    keep_alive: bool,
}

impl Head {
    fn parse(head: &[u8]) -> Result<Self, HttpError> {
        let not_http = HttpError::Malformed("it has no status line");
        let Some(rest) = head.strip_prefix(b"HTTP/1.") else { return Err(not_http) };
        let [minor @ (b'0' | b'1'), b' ', digits @ ..] = rest else { return Err(not_http) };
        let status = digits.get(..3).and_then(decimal).and_then(|status| u16::try_from(status).ok()).ok_or(not_http)?;
        let mut keep_alive = *minor == b'1';
        let mut length = None;
        let mut is_chunked = false;
        for (name, value) in fields(head) {
            if name.eq_ignore_ascii_case(b"content-length") {
                let stated = decimal(value).ok_or(HttpError::Malformed("its length is not a number"))?;
                if length.is_some_and(|length| length != stated) {
                    return Err(HttpError::Malformed("it states two lengths"));
                }
                length = Some(stated);
            } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
                is_chunked = value.to_ascii_lowercase().ends_with(b"chunked");
            } else if name.eq_ignore_ascii_case(b"connection") {
                keep_alive =
                    !value.eq_ignore_ascii_case(b"close") && (keep_alive || value.eq_ignore_ascii_case(b"keep-alive"));
            }
        }
        let body = match length {
            _ if status < 200 || status == 204 || status == 304 => Framing::Bytes(0),
            _ if is_chunked => Framing::Chunked,
            Some(length) => Framing::Bytes(length),
            None => Framing::UntilClose,
        };
        Ok(Self { status, body, keep_alive: keep_alive && body != Framing::UntilClose })
    }
}

/// Names and trimmed values of the header fields behind a status line.
pub fn fields(head: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    head.split(|byte| *byte == b'\n').skip(1).filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        Some((&line[..colon], line[colon + 1..].trim_ascii()))
    })
}

fn decimal(digits: &[u8]) -> Option<usize> {
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    if plain { std::str::from_utf8(digits).ok()?.parse().ok() } else { None }
}

#[cfg(test)]
mod tests;
