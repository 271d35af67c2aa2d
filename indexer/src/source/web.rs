//! Plain HTTP questions with a timeout, a limit and an honest reading of what went wrong.
//!
//! It must not know any upstream's protocol.

use std::time::Duration;

use reqwest::{Client, Response, StatusCode, Url, header};

use crate::source::SourceError;

/// How long to wait when a node asks for patience without a number of seconds.
const PATIENCE_DEFAULT: Duration = Duration::from_secs(60);
/// No node makes us wait longer than this.
const PATIENCE_MAX: Duration = Duration::from_secs(3600);

/// A client for one upstream.
#[derive(Debug, Clone)]
pub(super) struct Web {
    client: Client,
    max_bytes: usize,
}

/// Status and whole body of an answer.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: String,
}

impl Answer {
    /// The body of a successful answer; what the node says about its trouble otherwise.
    pub(super) fn success(self) -> Result<String, SourceError> {
        if self.status.is_success() {
            return Ok(self.body);
        }
        Err(self.trouble())
    }

    /// What the node says about its trouble.
    pub(super) fn trouble(&self) -> SourceError {
        let said: String = self.body.chars().take(200).collect();
        SourceError::Transient(format!("the node answered {}: {said}", self.status))
    }

    /// Whether the node refuses this question and not every question: a fault of the question, in the words of HTTP.
    pub(super) fn is_refused(&self) -> bool {
        self.status.is_client_error() && self.status != StatusCode::REQUEST_TIMEOUT
    }
}

impl Web {
    /// A client whose every request ends within the timeout, and whose answers are at most so many bytes.
    pub(super) fn new(timeout: Duration, max_bytes: usize) -> Result<Self, SourceError> {
        install_crypto();
        let client = Client::builder()
            .timeout(timeout)
            .connect_timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| SourceError::Unsuitable(format!("no HTTP client can be made: {}", chain(&error))))?;
        Ok(Self { client, max_bytes })
    }

    /// Asks for a page. Being told to wait is an error of its own; every other status is the caller's to judge.
    pub(super) async fn get(&self, url: Url) -> Result<Answer, SourceError> {
        let response =
            self.client.get(url).send().await.map_err(|error| SourceError::Transient(chain(&error.without_url())))?;
        let status = response.status();
        if status == StatusCode::TOO_MANY_REQUESTS {
            let retry_after = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
            return Err(SourceError::RateLimited { retry_after: patience(retry_after) });
        }
        let body = self.body(response).await?;
        Ok(Answer { status, body })
    }

    async fn body(&self, mut response: Response) -> Result<String, SourceError> {
        let mut bytes = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if bytes.len() + chunk.len() > self.max_bytes => {
                    let limit = self.max_bytes;
                    return Err(SourceError::Malformed(format!("the answer is larger than {limit} bytes")));
                }
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) if error.is_timeout() => {
                    return Err(SourceError::Transient("the answer did not end in time".to_owned()));
                }
                Err(error) => {
                    return Err(SourceError::Malformed(format!(
                        "the answer broke off: {}",
                        chain(&error.without_url())
                    )));
                }
            }
        }
        String::from_utf8(bytes).map_err(|_| SourceError::Malformed("the answer is not UTF-8".to_owned()))
    }
}

/// The wait that a `Retry-After` asks for. A date would need a clock to read, and counts as no number.
pub(super) fn patience(retry_after: Option<&str>) -> Duration {
    let seconds = retry_after.and_then(|text| text.trim().parse().ok());
    seconds.map_or(PATIENCE_DEFAULT, Duration::from_secs).min(PATIENCE_MAX)
}

/// TLS needs one process-wide provider; whoever came first has installed it.
pub(super) fn install_crypto() {
    let _already_installed = rustls::crypto::ring::default_provider().install_default();
}

/// An error with its causes, which is where the reason is.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_has_a_default_and_an_end() {
        assert_eq!(patience(Some("7")), Duration::from_secs(7));
        assert_eq!(patience(Some("Wed, 21 Oct 2026 07:28:00 GMT")), PATIENCE_DEFAULT);
        assert_eq!(patience(None), PATIENCE_DEFAULT);
        assert_eq!(patience(Some("99999999")), PATIENCE_MAX);
    }
}
