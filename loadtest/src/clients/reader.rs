//! Asks one question after the other and looks at the answers: how keys are found, and the API's count of its cache.

use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use super::ClientsError;
use super::http::{Answer, Connection, HttpError, Whole};
use super::target::Target;

/// How long one answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Asks one question after the other and looks at the answers.
#[derive(Debug)]
pub struct Reader {
    target: Target,
    kept: Option<Connection>,
}

impl Reader {
    /// A reader; it connects when it is first asked.
    pub fn new(target: Target) -> Self {
        Self { target, kept: None }
    }

    /// The whole answer for a path.
    pub async fn whole(&mut self, path: &str) -> Result<(Answer, Whole), ClientsError> {
        let asked = timeout(ANSWER_TIMEOUT, self.ask(path)).await.unwrap_or(Err(HttpError::Late));
        let address = self.target.address();
        asked.map_err(|source| ClientsError::NoAnswer { address, path: path.to_owned(), source })
    }

    /// The JSON of a 2xx answer, or a sentence about why there is none.
    pub async fn json(&mut self, path: &str) -> Result<Result<Value, String>, ClientsError> {
        let (answer, whole) = self.whole(path).await?;
        if !(200..300).contains(&answer.status) {
            return Ok(Err(format!("{path} answered {}, so it shows no keys", answer.status)));
        }
        Ok(serde_json::from_slice(&whole.body).map_err(|_| format!("{path} did not answer JSON, so it shows no keys")))
    }

    /// Whether a path answers with a 2xx status, and if not, what it did.
    pub async fn tried(&mut self, path: &str) -> Result<(), String> {
        match self.whole(path).await {
            Ok((answer, _)) if (200..300).contains(&answer.status) => Ok(()),
            Ok((answer, _)) => Err(format!("{path} answered {}", answer.status)),
            Err(error) => Err(error.to_string()),
        }
    }

    /// What the API says about its cache, if it says anything.
    pub async fn cache_counts(&mut self) -> Option<CacheCounts> {
        let (answer, whole) = self.whole("/metrics").await.ok()?;
        if answer.status != 200 {
            return None;
        }
        CacheCounts::from_metrics(&String::from_utf8_lossy(&whole.body))
    }

    async fn ask(&mut self, path: &str) -> Result<(Answer, Whole), HttpError> {
        // Measurements lie between two of these questions, and a server may close what is idle for long.
        if let Some(mut connection) = self.kept.take()
            && let Ok(answered) = self.ask_over(&mut connection, path).await
        {
            return Ok(self.keep(connection, answered));
        }
        let mut connection = Connection::open(self.target.address()).await?;
        let answered = self.ask_over(&mut connection, path).await?;
        Ok(self.keep(connection, answered))
    }

    async fn ask_over(&self, connection: &mut Connection, path: &str) -> Result<(Answer, Whole), HttpError> {
        let mut whole = Whole::default();
        let answer = connection.ask(&self.target.request(path), Some(&mut whole)).await?;
        Ok((answer, whole))
    }

    fn keep(&mut self, connection: Connection, answered: (Answer, Whole)) -> (Answer, Whole) {
        if answered.0.reusable {
            self.kept = Some(connection);
        }
        answered
    }
}

/// How often the API's cache has been asked, by its own count since it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheCounts {
    hits: u64,
    misses: u64,
}

impl CacheCounts {
    /// Reads them from the text of `/metrics`; a counter that has never counted is not there.
    fn from_metrics(text: &str) -> Option<Self> {
        let count = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        let (hits, misses) = (count("chert_api_cache_hits_total "), count("chert_api_cache_misses_total "));
        if hits.is_none() && misses.is_none() {
            return None;
        }
        Some(Self { hits: hits.unwrap_or_default(), misses: misses.unwrap_or_default() })
    }

    /// Hits among a thousand questions since an earlier count; none when there were no questions.
    pub fn permille_since(self, earlier: Self) -> Option<u64> {
        let hits = self.hits.saturating_sub(earlier.hits);
        let asked = hits.saturating_add(self.misses.saturating_sub(earlier.misses));
        hits.saturating_mul(1_000).checked_div(asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_read_from_the_metrics() {
        let text = "# TYPE chert_api_cache_hits_total counter\nchert_api_cache_hits_total 90\n\
                    chert_api_cache_misses_total 30\nchert_api_cache_bytes 12\n";
        let counts = CacheCounts::from_metrics(text).expect("two counters");
        assert_eq!(counts, CacheCounts { hits: 90, misses: 30 });
        assert_eq!(counts.permille_since(CacheCounts { hits: 60, misses: 20 }), Some(750));
        assert_eq!(counts.permille_since(counts), None);
        assert_eq!(CacheCounts::from_metrics("up 1"), None);
    }
}
