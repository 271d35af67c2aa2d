//! A Chert node, asked over JSON-RPC (and `/health` over plain HTTP).
//!
//! Nodes differ in where they listen (`/` or `/jsonrpc`), in how they write the newest height, and in whether a page
//! of `get_blocks` begins at or below the height asked for; all are tolerated. It must not know the log.

use std::ops::RangeInclusive;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use reqwest::Url;
use schema::chain::{Address, BlockHash, Height};
use schema::clock;
use schema::event::Unit;

use crate::decode::chert::{block, contiguous, header};
use crate::source::web::Web;
use crate::source::{BlockUnit, Introduction, Source, SourceError, Tip, report};

mod answers;
mod contact;
mod pages;
mod rpc;

use answers::Params;
use contact::{Contact, Contacts};
use pages::Wanted;

/// Headers asked for one by one to answer a range of hashes.
const SINGLE_HEADERS_MAX: u32 = 64;

/// What is configured about a Chert source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Chain id that the node must serve; none takes what the node states.
    pub chain_id: Option<String>,
    /// Rule of block hashes under which the log of this source was begun, once it was. A node that does not announce it
    /// any more is refused, because its hashes and signatures could not be checked.
    pub expected_hash_rule: Option<String>,
    /// Blocks per question.
    pub page: u32,
    /// How long one request may take.
    pub timeout: Duration,
    /// Largest answer, in bytes.
    pub max_response_bytes: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            chain_id: None,
            expected_hash_rule: None,
            page: 100,
            timeout: Duration::from_secs(10),
            max_response_bytes: 64 * 1024 * 1024,
        }
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
    contacts: Mutex<Contacts>,
    is_from_height_exclusive: AtomicBool,
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
            contacts: Mutex::new(Contacts::default()),
            is_from_height_exclusive: AtomicBool::new(false),
        })
    }

    /// Asks `/health`; nothing in it is obligatory, and a node without it has said nothing.
    pub async fn health(&self) -> Result<Health, SourceError> {
        Ok(self.ask_health().await?.map(|(health, _)| health).unwrap_or_default())
    }

    /// The block with a hash, wherever it stands; none when the node does not have it.
    pub async fn block_by_hash(&self, hash: &BlockHash) -> Result<Option<BlockUnit>, SourceError> {
        let contact = self.contact().await?;
        let params = Params::new().with("block_hash", hash.to_string())?.with("include_txs", true)?;
        let block = match contact.rpc.call("get_block_by_hash", params.into()).await {
            Ok(answer) => {
                answers::one_block(&answer).and_then(|text| text.map(|text| block(&contact.rules, text)).transpose())
            }
            Err(error) if error.is_block_unknown() => Ok(None),
            Err(error) => Err(error.into()),
        };
        self.settle(&contact, block)
    }

    async fn newest_height(&self, contact: &Contact) -> Result<Height, SourceError> {
        answers::newest_height(&contact.rpc.ask("eth_blockNumber").await.map_err(SourceError::from)?)
    }

    /// What the node says that an address holds. An address that it refuses, or about which it says what no balance can
    /// be, has no report; that must not hold up the blocks.
    async fn ask_report(&self, contact: &Contact, address: &Address) -> Result<Option<Unit>, SourceError> {
        let before = self.newest_height(contact).await?;
        let params = Params::new().with("address", address.as_str())?;
        let answer = match contact.rpc.call("get_balance", params.into()).await {
            Ok(answer) => answer,
            Err(error) if error.is_refusal() => {
                tracing::debug!(%address, ?error, "the node refuses to report about the address");
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let after = self.newest_height(contact).await?;
        if before != after {
            return Ok(None);
        }
        Ok(report::read(answer.get(), address, (before, after), clock::now()))
    }
}

impl Source for ChertSource {
    async fn introduce(&self) -> Result<Introduction, SourceError> {
        let contact = self.make_contact().await?;
        let genesis = self.settle(&contact, self.header_at(&contact, Height::GENESIS).await)?;
        Ok(Introduction {
            chain_id: contact.rules.chain_id.clone(),
            genesis_hash: genesis.map(|header| header.hash),
            hash_rule: contact.rules.hash_rule.map(|rule| rule.name().to_owned()),
        })
    }

    async fn tip(&self) -> Result<Tip, SourceError> {
        let contact = self.contact().await?;
        Ok(Tip { height: self.settle(&contact, self.newest_height(&contact).await)?, hash: None })
    }

    async fn blocks(&self, range: RangeInclusive<Height>) -> Result<Vec<BlockUnit>, SourceError> {
        let contact = self.contact().await?;
        let wanted = Wanted { range, include_txs: true, singles_max: u32::MAX };
        let blocks = self.collect(&contact, wanted, |text| {
            let block = block(&contact.rules, text)?;
            Ok((block.height, block))
        });
        let blocks = self.settle(&contact, blocks.await)?;
        self.settle(&contact, contiguous(&blocks))?;
        Ok(blocks)
    }

    async fn hash_at(&self, height: Height) -> Result<Option<BlockHash>, SourceError> {
        let contact = self.contact().await?;
        let header = self.settle(&contact, self.header_at(&contact, height).await)?;
        Ok(header.map(|header| header.hash))
    }

    /// Answers every height of the range that the node has, however small its pages are. From a node without pages, or
    /// whose pages do not yield them, at most 64 heights are asked for one by one: of a longer range the newest are
    /// answered then. A node that lacks a height below one that it has is an error, not a shorter answer.
    async fn hashes(&self, range: RangeInclusive<Height>) -> Result<Vec<(Height, BlockHash)>, SourceError> {
        let contact = self.contact().await?;
        let wanted = Wanted { range, include_txs: false, singles_max: SINGLE_HEADERS_MAX };
        let headers = self.collect(&contact, wanted, |text| {
            let header = header(text)?;
            Ok((header.height, (header.height, header.hash)))
        });
        self.settle(&contact, headers.await)
    }

    async fn report(&self, address: &Address) -> Result<Option<Unit>, SourceError> {
        let contact = self.contact().await?;
        self.settle(&contact, self.ask_report(&contact, address).await)
    }

    fn page(&self) -> u32 {
        self.options.page.max(1)
    }
}
