//! An AITBC node of the HEAD dialect, asked over REST within its budget of requests.
//!
//! `/rpc/blocks-range` is trusted and `/rpc/blocks/{height}` is not: it serves deleted blocks from a cache. Only the
//! node's default chain can be followed, because ranges are served for no other. It must not know the log.

use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::{StatusCode, Url};
use schema::chain::{Address, BlockHash, Height, Spelled, Time};
use schema::clock;
use schema::event::Unit;

use crate::decode::aitbc::{Rules, blocks, hashes};
use crate::decode::json::Object;
use crate::decode::limits;
use crate::source::web::{Answer, Web};
use crate::source::{BlockUnit, Introduction, Source, SourceError, Tip, report};

mod budget;
mod dialect;

use budget::Budget;

/// Blocks that one question may ask for; the node itself has no limit that protects it.
const PAGE_MAX: u32 = 500;
/// Characters of a chain id.
const CHAIN_ID_MAX: usize = 128;

/// What is configured about an AITBC source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Chain id that the node must serve; none takes what the node states.
    pub chain_id: Option<String>,
    /// Hash of block 0 that the node must have; none takes what the node has.
    pub genesis_hash: Option<BlockHash>,
    /// Blocks per question, at most 500.
    pub page: u32,
    /// Requests per minute; the node refuses above 200.
    pub requests_per_minute: u32,
    /// How long one request may take.
    pub timeout: Duration,
    /// Largest answer, in bytes.
    pub max_response_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            chain_id: None,
            genesis_hash: None,
            page: 200,
            requests_per_minute: 180,
            timeout: Duration::from_secs(10),
            max_response_bytes: 64 * 1024 * 1024,
        }
    }
}

/// An AITBC node that is followed by height.
#[derive(Debug)]
pub struct AitbcSource {
    options: Options,
    base: Url,
    web: Web,
    budget: Budget,
    contact: Mutex<Option<Arc<Contact>>>,
}

/// What first contact found out.
#[derive(Debug)]
struct Contact {
    rules: Rules,
    genesis_hash: Option<BlockHash>,
}

/// The newest block, as `/rpc/head` names it.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    height: Height,
    hash: BlockHash,
    time: Spelled<Time>,
}

impl AitbcSource {
    /// A source at a node's base URL. Nothing is asked yet.
    pub fn new(url: &str, options: Options) -> Result<Self, SourceError> {
        let base = Url::parse(url).map_err(|error| SourceError::Unsuitable(format!("{url}: {error}")))?;
        if !["http", "https"].contains(&base.scheme()) {
            return Err(SourceError::Unsuitable(format!("{url} is not an http or https URL")));
        }
        let web = Web::new(options.timeout, options.max_response_bytes)?;
        let budget = Budget::new(options.requests_per_minute);
        Ok(Self { options, base, web, budget, contact: Mutex::new(None) })
    }

    /// Asks for a path below the base URL, whose segments are escaped.
    async fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Answer, SourceError> {
        let mut url = self.base.clone();
        match url.path_segments_mut() {
            Ok(mut segments) => {
                segments.pop_if_empty().extend(path);
            }
            Err(()) => return Err(SourceError::Unsuitable(format!("{} has no paths", self.base))),
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.budget.spend().await;
        self.web.get(url).await
    }

    async fn contact(&self) -> Result<Arc<Contact>, SourceError> {
        let known = self.contact.lock().expect("nothing panics while holding this lock").clone();
        match known {
            Some(contact) => Ok(contact),
            None => self.make_contact().await,
        }
    }

    async fn make_contact(&self) -> Result<Arc<Contact>, SourceError> {
        let openapi = self.get(&["openapi.json"], &[]).await?;
        if openapi.status == StatusCode::NOT_FOUND {
            return Err(dialect::unknown(self.base.as_str()));
        }
        dialect::check(self.base.as_str(), &openapi.success()?)?;
        let info = self.get(&["rpc", "info"], &[]).await?.success()?;
        let stated = Object::parse(&info)?.optional_text("chain_id")?;
        let stated = stated.map(|text| limits::line("chain_id", text, CHAIN_ID_MAX)).transpose()?;
        let chain_id = match (&self.options.chain_id, stated) {
            (Some(ours), Some(theirs)) if *ours != theirs => {
                return Err(SourceError::Unsuitable(format!(
                    "the node at {} serves the chain {theirs}, but the settings say {ours}; \
                     only a node's default chain can be followed",
                    self.base
                )));
            }
            (Some(ours), _) => Some(ours.clone()),
            (None, theirs) => theirs,
        };
        let genesis_hash = self.ask_hashes(Height::GENESIS..=Height::GENESIS).await?.into_iter().next();
        let genesis_hash = genesis_hash.map(|(_, hash)| hash);
        match (&self.options.genesis_hash, &genesis_hash) {
            (Some(ours), Some(theirs)) if ours != theirs => {
                return Err(SourceError::Unsuitable(format!(
                    "the node at {} has another block 0 ({theirs}) than the settings say ({ours})",
                    self.base
                )));
            }
            (Some(_) | None, Some(_) | None) => {}
        }
        let contact = Arc::new(Contact { rules: Rules { chain_id }, genesis_hash });
        *self.contact.lock().expect("nothing panics while holding this lock") = Some(contact.clone());
        Ok(contact)
    }

    async fn head(&self) -> Result<Head, SourceError> {
        let body = self.get(&["rpc", "head"], &[]).await?.success()?;
        let head = Object::parse(&body)?;
        Ok(Head {
            height: *head.plain_number::<Height>("height")?.get(),
            hash: head.spelled::<BlockHash>("hash")?.get().clone(),
            time: head.spelled("timestamp")?,
        })
    }

    async fn range(&self, range: &RangeInclusive<Height>, include_tx: &str) -> Result<String, SourceError> {
        let (start, end) = (range.start().to_string(), range.end().to_string());
        let query = [("start", start.as_str()), ("end", end.as_str()), ("include_tx", include_tx)];
        self.get(&["rpc", "blocks-range"], &query).await?.success()
    }

    async fn ask_hashes(&self, range: RangeInclusive<Height>) -> Result<Vec<(Height, BlockHash)>, SourceError> {
        let hashes = hashes(&self.range(&range, "false").await?)?;
        match hashes.iter().find(|(height, _)| !range.contains(height)) {
            Some((height, _)) => Err(outside(&range, *height)),
            None => Ok(hashes),
        }
    }
}

fn outside(range: &RangeInclusive<Height>, height: Height) -> SourceError {
    SourceError::Malformed(format!("asked for blocks {} to {}, answered {height}", range.start(), range.end()))
}

impl Source for AitbcSource {
    async fn introduce(&self) -> Result<Introduction, SourceError> {
        let contact = self.make_contact().await?;
        Ok(Introduction {
            chain_id: contact.rules.chain_id.clone(),
            genesis_hash: contact.genesis_hash.clone(),
            hash_rule: contact.rules.chain_id.is_some().then(|| "aitbc-head".to_owned()),
        })
    }

    async fn tip(&self) -> Result<Tip, SourceError> {
        self.contact().await?;
        let head = self.head().await?;
        Ok(Tip { height: head.height, hash: Some(head.hash) })
    }

    async fn blocks(&self, range: RangeInclusive<Height>) -> Result<Vec<BlockUnit>, SourceError> {
        let contact = self.contact().await?;
        let highest = range.start().saturating_add(self.page() - 1);
        let range = *range.start()..=highest.min(*range.end());
        let blocks = blocks(&contact.rules, &self.range(&range, "true").await?)?;
        if let Some(block) = blocks.iter().find(|block| !range.contains(&block.height)) {
            return Err(outside(&range, block.height));
        }
        match blocks.first() {
            Some(first) if first.height != *range.start() => Err(SourceError::Malformed(format!(
                "the answer begins at block {}, not {}",
                first.height,
                range.start()
            ))),
            Some(_) | None => Ok(blocks),
        }
    }

    async fn hash_at(&self, height: Height) -> Result<Option<BlockHash>, SourceError> {
        self.contact().await?;
        Ok(self.ask_hashes(height..=height).await?.into_iter().next().map(|(_, hash)| hash))
    }

    /// Answers every height of the range that the node has, ascending, in as many questions as its length takes.
    async fn hashes(&self, range: RangeInclusive<Height>) -> Result<Vec<(Height, BlockHash)>, SourceError> {
        self.contact().await?;
        let mut hashes = Vec::new();
        let mut next = Some(*range.start());
        while let Some(first) = next.filter(|first| first <= range.end()) {
            let last = first.saturating_add(self.page() - 1).min(*range.end());
            let page = self.ask_hashes(first..=last).await?;
            // Nothing of a whole page is there, so the tip is below it.
            if page.is_empty() {
                break;
            }
            hashes.extend(page);
            next = last.next();
        }
        Ok(hashes)
    }

    async fn report(&self, address: &Address) -> Result<Option<Unit>, SourceError> {
        self.contact().await?;
        let before = self.head().await?;
        // The node's own spelling of the account; it stores nothing under a lower-cased `0x` one.
        let text = address.as_str();
        let account = text.strip_prefix("0x").map_or_else(|| text.to_owned(), |hex| format!("ait1{hex}"));
        let answer = self.get(&["rpc", "account", &account], &[]).await?;
        if answer.is_refused() {
            return Ok(None);
        }
        let body = answer.success()?;
        let after = self.head().await?;
        if before != after {
            return Ok(None);
        }
        Ok(report::read(&body, address, (before.height, after.height), clock::now()))
    }

    fn page(&self) -> u32 {
        self.options.page.clamp(1, PAGE_MAX)
    }
}
