//! Real keys to ask for, asked of the API itself.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use super::ClientsError;
use super::http::{Answer, Connection, HttpError, Whole};
use super::questions::encoded;
use super::target::Target;

/// Items of one page; the most that the API gives.
const PAGE_ITEMS: usize = 100;
/// Pages that are read of one list.
const MAX_PAGES: usize = 30;
/// Names that are searched for, to find identities.
const NAMES: &[&str] = &["a", "e", "i", "m", "o", "s"];
/// How long one answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// A block and the position of its event in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockKey {
    /// Height on its chain.
    pub height: u64,
    /// Position in the log.
    pub position: u64,
}

/// A transaction and the position of its event in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionKey {
    /// Its id, as the API spells it.
    pub tx_id: String,
    /// Position in the log.
    pub position: u64,
}

/// What there is to ask for, newest first where there is an order.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    /// The newest position that is known.
    pub position: u64,
    /// Blocks of the first chain.
    pub blocks: Vec<BlockKey>,
    /// Transactions of the first chain.
    pub transactions: Vec<TransactionKey>,
    /// Addresses that sent or received.
    pub addresses: Vec<String>,
    /// Identities.
    pub identities: Vec<String>,
    /// What could not be had, in sentences.
    pub notes: Vec<String>,
}

impl Keys {
    /// Asks the API for keys. A route that refuses is noted and left out.
    pub async fn collect(reader: &mut Reader) -> Result<Self, ClientsError> {
        let mut keys = Self::default();
        for item in keys.list(reader, &format!("/v1/explorer/blocks?limit={PAGE_ITEMS}")).await? {
            if let (Some(height), Some(position)) = (item["height"].as_u64(), item["position"].as_u64()) {
                keys.blocks.push(BlockKey { height, position });
            }
        }
        let mut addresses = BTreeSet::new();
        for item in keys.list(reader, &format!("/v1/explorer/transactions?limit={PAGE_ITEMS}")).await? {
            if let (Some(tx_id), Some(position)) = (item["tx_id"].as_str(), item["position"].as_u64()) {
                keys.transactions.push(TransactionKey { tx_id: tx_id.to_owned(), position });
            }
            let ends = [item["sender"].as_str(), item["recipient"].as_str()];
            addresses.extend(ends.into_iter().flatten().map(str::to_owned));
        }
        keys.addresses = addresses.into_iter().collect();
        let mut identities = BTreeSet::new();
        for name in NAMES {
            let notes = keys.notes.len();
            let found = keys.list(reader, &format!("/v1/identity/search?name={name}&limit={PAGE_ITEMS}")).await?;
            identities.extend(found.iter().filter_map(|item| item["identity_id"].as_str()).map(str::to_owned));
            if keys.notes.len() > notes {
                // What one name is refused, the others are too.
                break;
            }
        }
        keys.identities = identities.into_iter().collect();
        keys.position = keys.newest_position(reader).await?;
        Ok(keys)
    }

    /// Transactions that were there at every one of the positions beside them: some of the oldest ones known, and the
    /// blocks since.
    pub fn settled_transactions(&self) -> (Vec<&str>, Vec<u64>) {
        let mut oldest: Vec<_> = self.transactions.iter().collect();
        oldest.sort_unstable_by_key(|transaction| transaction.position);
        oldest.truncate(oldest.len().div_ceil(2));
        let Some(last) = oldest.last().map(|transaction| transaction.position) else { return Default::default() };
        let mut later: Vec<_> = self.blocks.iter().map(|block| block.position).filter(|at| *at > last).collect();
        later.sort_unstable();
        // The first one may belong to the block of the last transaction; a block counts from its end on.
        let later = later.into_iter().skip(1).collect();
        (oldest.into_iter().map(|transaction| transaction.tx_id.as_str()).collect(), later)
    }

    async fn newest_position(&mut self, reader: &mut Reader) -> Result<u64, ClientsError> {
        let status = match reader.json("/v1/status").await? {
            Ok(status) => status["position"].as_u64(),
            Err(why) => {
                self.notes.push(why);
                None
            }
        };
        let seen = self.blocks.iter().map(|block| block.position).max();
        Ok(status.or(seen).unwrap_or_default())
    }

    async fn list(&mut self, reader: &mut Reader, path: &str) -> Result<Vec<Value>, ClientsError> {
        let mut items = Vec::new();
        let mut page_path = path.to_owned();
        for _ in 0..MAX_PAGES {
            let mut page = match reader.json(&page_path).await? {
                Ok(page) => page,
                Err(why) => {
                    self.notes.push(why);
                    break;
                }
            };
            if let Some(found) = page["items"].as_array_mut() {
                items.append(found);
            }
            match page["next_cursor"].as_str() {
                Some(cursor) => page_path = format!("{path}&cursor={}", encoded(cursor)),
                None => break,
            }
        }
        Ok(items)
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

    #[test]
    fn settled_transactions_are_older_than_every_position_they_are_asked_at() {
        let transaction = |position: u64| TransactionKey { tx_id: format!("t{position}"), position };
        let block = |height: u64| BlockKey { height, position: height * 10 };
        let keys = Keys {
            transactions: [48, 47, 33, 21].map(transaction).to_vec(),
            blocks: [6, 5, 4, 3, 2].map(block).to_vec(),
            ..Keys::default()
        };
        assert_eq!(keys.settled_transactions(), (vec!["t21", "t33"], vec![50, 60]));
        assert_eq!(Keys::default().settled_transactions(), (Vec::new(), Vec::new()));
    }
}
