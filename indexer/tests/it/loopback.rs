//! A node on loopback that answers as a test says, byte for byte, and badly where the test wants it.

use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What was asked.
#[derive(Debug, Clone)]
pub struct Request {
    /// Path and query.
    pub target: String,
    /// The body.
    pub body: String,
}

/// What is answered.
#[derive(Debug, Clone)]
pub struct Reply {
    status: u16,
    header: Option<(&'static str, &'static str)>,
    body: String,
    missing_bytes: usize,
}

impl Reply {
    pub fn ok(body: impl Into<String>) -> Self {
        Self { status: 200, header: None, body: body.into(), missing_bytes: 0 }
    }

    pub fn status(status: u16) -> Self {
        Self { status, ..Self::ok("{\"detail\":\"trouble\"}") }
    }

    pub fn with_header(self, name: &'static str, value: &'static str) -> Self {
        Self { header: Some((name, value)), ..self }
    }

    /// The connection ends this many bytes before the body does.
    pub fn cut_by(self, missing_bytes: usize) -> Self {
        Self { missing_bytes, ..self }
    }
}

/// Starts a node; its base URL. It ends with the test's runtime.
pub async fn serve(answer: impl Fn(Request) -> Reply + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let _closed_by_the_other_side = talk(stream, &*answer).await;
            });
        }
    });
    format!("http://{address}")
}

async fn talk(stream: TcpStream, answer: &(impl Fn(Request) -> Reply + Sync)) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut first = String::new();
    stream.read_line(&mut first).await?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a number");
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let target = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let reply = answer(Request { target, body: String::from_utf8(body).expect("text") });
    let header = reply.header.map(|(name, value)| format!("{name}: {value}\r\n")).unwrap_or_default();
    let head = format!(
        "HTTP/1.1 {} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n{header}\r\n",
        reply.status,
        reply.body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    let kept = reply.body.len() - reply.missing_bytes;
    stream.write_all(&reply.body.as_bytes()[..kept]).await?;
    stream.shutdown().await
}
