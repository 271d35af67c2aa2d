//! A Chert node, asked over JSON-RPC (and `/health` over plain HTTP).
//!
//! Nodes differ in where they listen (`/` or `/jsonrpc`), in how they write the newest height, and in whether a page
//! of `get_blocks` begins at or below the height asked for; all are tolerated. It must not know the log.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::Utc;
use reqwest::{StatusCode, Url};
use schema::chain::{Address, Amount, BlockHash, Height, Malformed, Spelled};
use schema::event::Unit;
use schema::source::SourceKind;
use serde_json::value::RawValue;

use crate::decode::chert::{Header, Rules, block, contiguous, header};
use crate::decode::json::Object;
use crate::source::report::Report;
use crate::source::web::Web;
use crate::source::{BlockUnit, Introduction, Source, SourceError, Tip};
use crate::verify::chert::HashRule;

mod answers;
mod rpc;

use answers::{Params, Windows};
use rpc::{CallError, Rpc};

/// What is configured about a Chert source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Chain id that the node must serve; none takes what the node states.
    pub chain_id: Option<String>,
    /// Blocks per question.
    pub page: u32,
    /// How long one request may take.
    pub timeout: Duration,
    /// Largest answer, in bytes.
    pub max_response_bytes: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { chain_id: None, page: 100, timeout: Duration::from_secs(10), max_response_bytes: 64 * 1024 * 1024 }
    }
}

/// What a node's `/health` says, as far as it is of use here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    /// Chain id, where stated.
    pub chain_id: Option<String>,
    /// Rule of block hashes, where announced.
    pub hash_rule: Option<String>,
    /// The newest height.
    pub current_height: Option<Height>,
    /// Newest commit of the consensus graph; not a height.
    pub dag_tip_commit_index: Option<u64>,
    /// Newest finalized commit of the consensus graph; not a height.
    pub finalized_commit_index: Option<u64>,
    /// Commits between the two.
    pub dag_finality_gap: Option<u64>,
}

/// A Chert node that is followed by height.
#[derive(Debug)]
pub struct ChertSource {
    options: Options,
    base: String,
    paths: Vec<String>,
    web: Web,
    contact: Mutex<Option<Arc<Contact>>>,
    is_from_height_exclusive: AtomicBool,
}

/// Newest height of a page, number of its blocks, with transactions or not, and how the node reads `from_height`.
type Window = (Height, u32, bool, bool);

/// What first contact found out.
#[derive(Debug)]
struct Contact {
    rpc: Rpc,
    rules: Rules,
    hash_rule: Option<String>,
}

impl ChertSource {
    /// A source at a node's base URL, with or without `/jsonrpc` at its end. Nothing is asked yet.
    pub fn new(url: &str, options: Options) -> Result<Self, SourceError> {
        let trimmed = url.trim_end_matches('/');
        let parsed = Url::parse(trimmed).map_err(|error| SourceError::Unsuitable(format!("{url}: {error}")))?;
        if !["http", "https"].contains(&parsed.scheme()) {
            return Err(SourceError::Unsuitable(format!("{url} is not an http or https URL")));
        }
        let (base, paths) = match trimmed.strip_suffix("/jsonrpc") {
            Some(base) => (base.to_owned(), vec![trimmed.to_owned()]),
            None => (trimmed.to_owned(), vec![format!("{trimmed}/jsonrpc"), format!("{trimmed}/")]),
        };
        let max_bytes = usize::try_from(options.max_response_bytes).unwrap_or(usize::MAX);
        Ok(Self {
            web: Web::new(options.timeout, max_bytes)?,
            options,
            base,
            paths,
            contact: Mutex::new(None),
            is_from_height_exclusive: AtomicBool::new(false),
        })
    }

    /// Asks `/health`; nothing in it is obligatory, and a node without it has said nothing.
    pub async fn health(&self) -> Result<Health, SourceError> {
        let url = format!("{}/health", self.base);
        let url = Url::parse(&url).map_err(|error| SourceError::Unsuitable(format!("{url}: {error}")))?;
        let answer = self.web.get(url).await?;
        match answers::health(&answer.body) {
            Some(health) => Ok(health),
            // A node in trouble still says what it is; a page that says nothing at all is worth asking again for.
            None if answer.status.is_success() => {
                Err(SourceError::Malformed("/health is not a JSON object".to_owned()))
            }
            None if is_absent(answer.status) => Ok(Health::default()),
            None => answer.success().map(|_| Health::default()),
        }
    }

    /// The block with a hash, wherever it stands; none when the node does not have it.
    pub async fn block_by_hash(&self, hash: &BlockHash) -> Result<Option<BlockUnit>, SourceError> {
        let contact = self.contact().await?;
        let params = Params::new().with("block_hash", hash.to_string())?.with("include_txs", true)?;
        match contact.rpc.call("get_block_by_hash", params.into()).await {
            Ok(answer) => answers::one_block(&answer)?.map(|text| block(&contact.rules, text)).transpose(),
            Err(error) if error.is_block_unknown() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn contact(&self) -> Result<Arc<Contact>, SourceError> {
        let known = self.contact.lock().expect("nothing panics while holding this lock").clone();
        match known {
            Some(contact) => Ok(contact),
            None => self.make_contact().await,
        }
    }

    async fn make_contact(&self) -> Result<Arc<Contact>, SourceError> {
        let rpc = self.probe().await?;
        let health = self.health().await?;
        let chain_id = match (&self.options.chain_id, health.chain_id) {
            (Some(ours), Some(theirs)) if *ours != theirs => {
                return Err(SourceError::Unsuitable(format!(
                    "the node at {} serves the chain {theirs}, but the settings say {ours}",
                    self.base
                )));
            }
            (Some(ours), _) => Some(ours.clone()),
            (None, theirs) => theirs,
        };
        let hash_rule = health.hash_rule.as_deref().and_then(HashRule::from_name);
        let rules = Rules { kind: SourceKind::Chert, chain_id, hash_rule };
        let hash_rule = hash_rule.map(|rule| rule.name().to_owned());
        let contact = Arc::new(Contact { rpc, rules, hash_rule });
        *self.contact.lock().expect("nothing panics while holding this lock") = Some(contact.clone());
        Ok(contact)
    }

    /// The first path that speaks JSON-RPC; any answer of that form will do, an error object too.
    async fn probe(&self) -> Result<Rpc, SourceError> {
        let mut trouble = None;
        for path in &self.paths {
            let rpc = Rpc::new(path, self.options.timeout, self.options.max_response_bytes)?;
            match rpc.ask("eth_blockNumber").await {
                Ok(_) | Err(CallError::Node { .. }) => return Ok(rpc),
                Err(CallError::NoRoute) => {}
                Err(CallError::Source(error)) => trouble = Some(error),
            }
        }
        let paths = self.paths.join(" or ");
        Err(trouble.unwrap_or_else(|| SourceError::Unsuitable(format!("nothing speaks JSON-RPC at {paths}"))))
    }

    /// Asks for the newest `limit` blocks at or below a height; none from a node without `get_blocks`. A node whose
    /// pages begin below the height asked for (`exclusive`) is asked for the height above instead.
    async fn window(
        &self,
        contact: &Contact,
        (top, limit, include_txs, exclusive): Window,
    ) -> Result<Option<Box<RawValue>>, SourceError> {
        let from_height = if exclusive { top.saturating_add(1) } else { top };
        let params = Params::new()
            .with("limit", limit)?
            .with("include_txs", include_txs)?
            .with("from_height", from_height.to_db())?;
        match contact.rpc.call("get_blocks", params.into()).await {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.is_method_unknown() || error.is_block_unknown() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads one page into the range; says whether the node has pages at all.
    async fn read_window<T: Send>(
        &self,
        contact: &Contact,
        windows: &mut Windows<T>,
        window: Window,
        read: &(impl Fn(&str) -> Result<(Height, T), SourceError> + Send + Sync),
    ) -> Result<bool, SourceError> {
        let Some(answer) = self.window(contact, window).await? else { return Ok(false) };
        for text in answers::blocks(&answer)? {
            let (height, value) = read(text)?;
            windows.add(height, value);
        }
        Ok(true)
    }

    async fn by_number(
        &self,
        contact: &Contact,
        height: Height,
        include_txs: bool,
    ) -> Result<Option<Box<RawValue>>, SourceError> {
        let params = Params::new().with("block_number", height.to_db())?.with("include_txs", include_txs)?;
        match contact.rpc.call("eth_getBlockByNumber", params.into()).await {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.is_block_unknown() || error.is_method_unknown() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Fills a range from pages, and from single questions where pages do not yield a height. `read` judges each block.
    async fn collect<T: Send>(
        &self,
        contact: &Contact,
        range: RangeInclusive<Height>,
        include_txs: bool,
        read: impl Fn(&str) -> Result<(Height, T), SourceError> + Send + Sync,
    ) -> Result<Vec<T>, SourceError> {
        let mut windows = Windows::new(range);
        let mut is_other_reading_tried = false;
        while let Some((top, limit)) = windows.missing() {
            let limit = limit.min(self.options.page.max(1));
            let reading = self.is_from_height_exclusive.load(Ordering::Relaxed);
            let mut has_pages =
                self.read_window(contact, &mut windows, (top, limit, include_txs, reading), &read).await?;
            if !windows.has(top) && has_pages && !is_other_reading_tried {
                is_other_reading_tried = true;
                has_pages = self.read_window(contact, &mut windows, (top, limit, include_txs, !reading), &read).await?;
                if windows.has(top) {
                    self.is_from_height_exclusive.store(!reading, Ordering::Relaxed);
                }
            }
            if windows.has(top) {
                continue;
            }
            tracing::debug!(height = %top, has_pages, "no page holds the block; asking for it alone");
            let single = self.by_number(contact, top, include_txs).await?;
            match single.as_deref().map(answers::one_block).transpose()?.flatten() {
                Some(text) => {
                    let (height, value) = read(text)?;
                    if height != top {
                        return Err(SourceError::Malformed(format!("asked for block {top}, answered {height}")));
                    }
                    windows.add(height, value);
                }
                None => windows.give_up(top)?,
            }
        }
        Ok(windows.into_values())
    }

    async fn newest_height(&self, contact: &Contact) -> Result<Height, SourceError> {
        answers::newest_height(&contact.rpc.ask("eth_blockNumber").await.map_err(SourceError::from)?)
    }

    async fn header_at(&self, contact: &Contact, height: Height) -> Result<Option<Header>, SourceError> {
        let headers = self.collect(contact, height..=height, false, |text| {
            let header = header(text)?;
            Ok((header.height, header))
        });
        Ok(headers.await?.into_iter().next())
    }
}

fn is_absent(status: StatusCode) -> bool {
    [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED, StatusCode::NOT_IMPLEMENTED].contains(&status)
}

impl Source for ChertSource {
    async fn introduce(&self) -> Result<Introduction, SourceError> {
        let contact = self.make_contact().await?;
        let genesis_hash = self.header_at(&contact, Height::GENESIS).await?.map(|header| header.hash);
        Ok(Introduction {
            chain_id: contact.rules.chain_id.clone(),
            genesis_hash,
            hash_rule: contact.hash_rule.clone(),
        })
    }

    async fn tip(&self) -> Result<Tip, SourceError> {
        let contact = self.contact().await?;
        Ok(Tip { height: self.newest_height(&contact).await?, hash: None })
    }

    async fn blocks(&self, range: RangeInclusive<Height>) -> Result<Vec<BlockUnit>, SourceError> {
        let contact = self.contact().await?;
        let blocks = self.collect(&contact, range, true, |text| {
            let block = block(&contact.rules, text)?;
            Ok((block.height, block))
        });
        let blocks = blocks.await?;
        contiguous(&blocks)?;
        Ok(blocks)
    }

    async fn hash_at(&self, height: Height) -> Result<Option<BlockHash>, SourceError> {
        let contact = self.contact().await?;
        match self.by_number(&contact, height, false).await?.as_deref().map(answers::one_block).transpose()?.flatten() {
            Some(text) => {
                let header = header(text)?;
                if header.height == height {
                    Ok(Some(header.hash))
                } else {
                    Err(SourceError::Malformed(format!("asked for block {height}, answered {}", header.height)))
                }
            }
            None => Ok(self.header_at(&contact, height).await?.map(|header| header.hash)),
        }
    }

    async fn hashes(&self, range: RangeInclusive<Height>) -> Result<Vec<(Height, BlockHash)>, SourceError> {
        let contact = self.contact().await?;
        let mut hashes = BTreeMap::new();
        let limit = answers::length(&range).min(self.options.page.max(1));
        let exclusive = self.is_from_height_exclusive.load(Ordering::Relaxed);
        let answer = self.window(&contact, (*range.end(), limit, false, exclusive)).await?;
        for text in answer.as_deref().map(answers::blocks).transpose()?.unwrap_or_default() {
            let header = header(text)?;
            if range.contains(&header.height) {
                hashes.insert(header.height, header.hash);
            }
        }
        Ok(hashes.into_iter().collect())
    }

    async fn report(&self, address: &Address) -> Result<Option<Unit>, SourceError> {
        let contact = self.contact().await?;
        let before = self.newest_height(&contact).await?;
        let params = Params::new().with("address", address.as_str())?;
        let answer = contact.rpc.call("get_balance", params.into()).await.map_err(SourceError::from)?;
        let after = self.newest_height(&contact).await?;
        if before != after {
            return Ok(None);
        }
        let answer = Object::parse(answer.get())?;
        let balance: Spelled<Amount> = answer.number("balance")?;
        let nonce = answer.optional_number("nonce")?;
        let report =
            Report { address, balance, nonce, height_before: before, height_after: after, occurred_at: Utc::now() };
        report.unit().map(Some).map_err(|bad: Malformed| SourceError::Malformed(bad.to_string()))
    }

    fn page(&self) -> u32 {
        self.options.page.max(1)
    }
}
