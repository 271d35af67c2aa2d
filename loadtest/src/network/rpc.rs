//! The node's JSON-RPC methods over a chain, faults of content included.
//!
//! It must not know HTTP.

use std::cell::Cell;
use std::fmt::Write;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::NetworkError;
use super::chain::{Chain, StoredBlock};
use super::dice::to_u64;
use super::fault::FaultKind;
use super::wire::{json_string, put};

/// A page of `get_blocks` never has more blocks than this.
pub const PAGE_MAX_BLOCKS: u64 = 500;
const PAGE_DEFAULT_BLOCKS: u64 = 20;
/// Blocks searched for the history of an address.
const HISTORY_BLOCKS: u64 = 64;
const HISTORY_MAX_ROWS: u64 = 100;

const INVALID_REQUEST: i64 = -32_600;
const METHOD_NOT_FOUND: i64 = -32_601;
const INVALID_PARAMS: i64 = -32_602;
const INTERNAL: i64 = -32_603;
const PARSE: i64 = -32_700;
const UNKNOWN_BLOCK: i64 = -32_001;

/// The chain as the node shows it at this moment.
pub struct View<'a> {
    chain: &'a Chain,
    fault: Option<&'a FaultKind>,
    /// Whether the fault is visible in the answer.
    pub faulty: Cell<bool>,
}

#[derive(Deserialize)]
struct Request<'a> {
    method: String,
    #[serde(default)]
    params: Option<Value>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
}

#[derive(Debug)]
struct Refusal {
    code: i64,
    message: String,
}

fn refuse<T>(code: i64, message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { code, message: message.into() })
}

impl From<NetworkError> for Refusal {
    fn from(error: NetworkError) -> Self {
        Self { code: INTERNAL, message: error.to_string() }
    }
}

impl<'a> View<'a> {
    /// The chain, seen through a fault.
    pub fn new(chain: &'a Chain, fault: Option<&'a FaultKind>) -> Self {
        Self { chain, fault, faulty: Cell::new(false) }
    }

    /// Height of the head as shown.
    pub fn head(&self) -> u64 {
        let head = self.chain.head().height;
        match self.fault {
            Some(FaultKind::LowerHead { by }) => {
                self.faulty.set(true);
                head.saturating_sub(*by)
            }
            _ => head,
        }
    }

    /// The answer to a request body.
    pub fn answer(&self, body: &[u8]) -> String {
        let request: Request<'_> = match serde_json::from_slice(body) {
            Ok(request) => request,
            Err(error) => {
                let code = if error.is_data() { INVALID_REQUEST } else { PARSE };
                return envelope("null", Err(Refusal { code, message: error.to_string() }));
            }
        };
        let id = request.id.map_or("null", RawValue::get);
        envelope(id, self.call(&request.method, &request.params.unwrap_or(Value::Null)))
    }

    fn call(&self, method: &str, params: &Value) -> Result<String, Refusal> {
        // Some clients wrap their one object into positional parameters.
        let wrapped = params.as_array().filter(|list| list.len() == 1 && list[0].is_object());
        let params = wrapped.map_or(params, |list| &list[0]);
        if !(params.is_null() || params.is_object() || params.is_array()) {
            return refuse(INVALID_PARAMS, "params must be an object or an array");
        }
        match method {
            "eth_blockNumber" => Ok(format!(r#"{{"block_number":{}}}"#, self.head())),
            "get_blocks" => self.get_blocks(params),
            "eth_getBlockByNumber" => {
                let height = required(number(params, "block_number", 0)?, "block_number")?;
                self.one_block(self.block(height)?, params, &format!("no block {height}"))
            }
            "get_block_by_hash" => {
                let hash = required(text(params, "block_hash", 0)?, "block_hash")?;
                let block = self.chain.block_by_hash(hash)?.filter(|block| block.height() <= self.head());
                self.one_block(block, params, "no block with this hash")
            }
            "get_transaction" => self.get_transaction(required(text(params, "tx_id", 0)?, "tx_id")?),
            "get_balance" => {
                let address = required(text(params, "address", 0)?, "address")?;
                let (balance, nonce) = self.chain.account(address);
                Ok(json!({ "address": address, "balance": balance.to_string(), "nonce": nonce }).to_string())
            }
            "get_transaction_history" => self.history(params),
            "get_chain_id" => Ok(json!({ "chain_id": self.chain.config().chain_id }).to_string()),
            "health" => Ok(self.health(0)),
            other => refuse(METHOD_NOT_FOUND, format!("unknown method {other}")),
        }
    }

    fn block(&self, height: u64) -> Result<Option<StoredBlock>, Refusal> {
        if height > self.head() { Ok(None) } else { Ok(self.chain.block(height)?) }
    }

    fn one_block(&self, block: Option<StoredBlock>, params: &Value, missing: &str) -> Result<String, Refusal> {
        let include_txs = flag(params, "include_txs", 1)?;
        match block {
            Some(block) => {
                let mut out = String::new();
                self.write_block(&mut out, &block, include_txs, true);
                Ok(out)
            }
            None => refuse(UNKNOWN_BLOCK, missing),
        }
    }

    fn write_block(&self, out: &mut String, block: &StoredBlock, include_txs: bool, highest: bool) {
        let spoils = self.fault.and_then(FaultKind::spoils);
        let hit = match spoils {
            Some(Some(height)) => height == block.height(),
            Some(None) => highest,
            None => false,
        };
        let header;
        let shown = if include_txs {
            block.json()
        } else {
            header = block.json_without_transactions();
            &header
        };
        let spoilt = self.fault.filter(|_| hit).and_then(|fault| fault.spoil(shown));
        if spoilt.is_some() {
            self.faulty.set(true);
        }
        out.push_str(spoilt.as_deref().unwrap_or(shown));
    }

    /// A page of blocks, newest first, from `from_height` (inclusive) downwards.
    fn get_blocks(&self, params: &Value) -> Result<String, Refusal> {
        let limit = number(params, "limit", 0)?.unwrap_or(PAGE_DEFAULT_BLOCKS).clamp(1, PAGE_MAX_BLOCKS);
        let include_txs = flag(params, "include_txs", 1)?;
        let head = self.head();
        let top = number(params, "from_height", 2)?.unwrap_or(head).min(head);
        let lowest = (top + 1).saturating_sub(limit);
        let mut out = String::from(r#"{"blocks":["#);
        for height in (lowest..=top).rev() {
            let Some(block) = self.block(height)? else { continue };
            if height < top {
                out.push(',');
            }
            self.write_block(&mut out, &block, include_txs, height == top);
        }
        out.push(']');
        if lowest > 0 {
            put!(out, r#","next_cursor":{}"#, lowest - 1);
        }
        out.push('}');
        Ok(out)
    }

    fn get_transaction(&self, tx_id: &str) -> Result<String, Refusal> {
        let found = self.chain.transaction(tx_id)?.filter(|(block, _)| block.height() <= self.head());
        let Some((block, index)) = found else {
            return Ok(json!({ "tx_id": tx_id, "status": "not_found", "message": "unknown transaction" }).to_string());
        };
        let body = block.transactions()[index].get();
        let open = body.strip_suffix('}').expect("transactions are objects");
        Ok(format!(
            r#"{open},"status":"{}","block_number":{},"block_hash":"{}"}}"#,
            self.status(block.height()),
            block.height(),
            block.hash()
        ))
    }

    /// Clients take twelve confirmations for final.
    fn status(&self, height: u64) -> &'static str {
        if self.head().saturating_sub(height) >= 12 { "finalized" } else { "confirmed" }
    }

    /// The newest transactions of an address, or of all, within the newest blocks; never more than one page.
    fn history(&self, params: &Value) -> Result<String, Refusal> {
        #[derive(Deserialize)]
        struct Row {
            tx_id: String,
            sender: String,
            recipient: String,
            amount: u64,
            fee: u64,
            nonce: u64,
            timestamp: String,
        }
        let address = text(params, "address", 0)?;
        let limit = number(params, "limit", 1)?.unwrap_or(20).clamp(1, HISTORY_MAX_ROWS);
        let head = self.head();
        let mut rows = Vec::new();
        for height in (head.saturating_sub(HISTORY_BLOCKS - 1)..=head).rev() {
            let Some(block) = self.block(height)? else { continue };
            for (index, raw) in block.transactions().iter().enumerate().rev() {
                let row: Row = serde_json::from_str(raw.get()).expect("transactions are written by this program");
                let direction = match address {
                    None => "external",
                    Some(address) if row.sender == address => "outgoing",
                    Some(address) if row.recipient == address => "incoming",
                    Some(_) => continue,
                };
                if to_u64(rows.len()) < limit {
                    rows.push(json!({
                        "tx_id": row.tx_id, "sender": row.sender, "recipient": row.recipient, "amount": row.amount,
                        "fee": row.fee, "nonce": row.nonce, "timestamp": row.timestamp,
                        "status": self.status(height), "direction": direction, "block_number": height,
                        "block_hash": block.hash(), "transaction_index": index,
                    }));
                }
            }
        }
        Ok(json!({ "address": address, "transactions": rows, "has_more": false, "next_cursor": null }).to_string())
    }

    /// The body of `GET /health`.
    pub fn health(&self, uptime_seconds: u64) -> String {
        let (head, config) = (self.head(), self.chain.config());
        let finalized = head.saturating_sub(12);
        json!({
            "status": "healthy", "version": env!("CARGO_PKG_VERSION"), "node_type": "synthetic",
            "uptime_seconds": uptime_seconds, "timestamp": chrono::DateTime::parse_from_rfc3339(
                &self.chain.head().timestamp).expect("block times are RFC 3339").timestamp(),
            "chain_id": config.chain_id, "hash_rule": super::HASH_RULE,
            "consensus_status": {
                "is_synced": true, "current_height": head, "dag_tip_commit_index": head,
                "finalized_commit_index": finalized, "dag_finality_gap": head - finalized, "tx_queue_size": 0,
                "pending_finality_certs": 0, "tephra_gossip_sync_rounds": 0, "tephra_events_ingested": head,
                "tephra_events_sent": head, "tephra_event_store_size": 0, "validator_count": config.validators,
                "committee_size": config.validators, "epoch": head / 32, "epoch_duration_ms": 32 * config.block_time_ms,
                "epoch_elapsed_ms": (head % 32) * config.block_time_ms,
                "time_to_next_epoch_ms": (32 - head % 32) * config.block_time_ms, "startup_gate_active": false,
                "startup_ready_peers": 0, "startup_expected_ready_peers": 0, "startup_vrf_ready_peers": 0,
                "startup_expected_vrf_ready_peers": 0, "startup_wait_ms": 0, "startup_peer_readiness": [],
            },
            "network_status": {
                "peer_count": 0, "connected_peer_count": 0, "total_peers": 0, "bootstrap_peers": 0,
                "connected_peers": [], "message_success_rate": 1.0, "average_latency_ms": 1,
                "connection_quality": 1.0,
            },
        })
        .to_string()
    }
}

fn envelope(id: &str, result: Result<String, Refusal>) -> String {
    match result {
        Ok(result) => format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#),
        Err(Refusal { code, message }) => {
            let message = json_string(&message);
            format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":{message}}}}}"#)
        }
    }
}

/// A parameter by name in an object, or by place in a list; null counts as absent.
fn parameter<'a>(params: &'a Value, name: &str, place: usize) -> Option<&'a Value> {
    let value = if params.is_array() { params.get(place) } else { params.get(name) };
    value.filter(|value| !value.is_null())
}

fn required<T>(value: Option<T>, name: &str) -> Result<T, Refusal> {
    value.map_or_else(|| refuse(INVALID_PARAMS, format!("{name} is missing")), Ok)
}

fn number(params: &Value, name: &str, place: usize) -> Result<Option<u64>, Refusal> {
    match parameter(params, name, place) {
        None => Ok(None),
        Some(value) => match value.as_u64() {
            Some(number) => Ok(Some(number)),
            None => refuse(INVALID_PARAMS, format!("{name} must be a whole number, not negative")),
        },
    }
}

fn text<'a>(params: &'a Value, name: &str, place: usize) -> Result<Option<&'a str>, Refusal> {
    match parameter(params, name, place) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => refuse(INVALID_PARAMS, format!("{name} must be a string")),
    }
}

/// Transactions are included unless the request says otherwise.
fn flag(params: &Value, name: &str, place: usize) -> Result<bool, Refusal> {
    match parameter(params, name, place) {
        None => Ok(true),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => refuse(INVALID_PARAMS, format!("{name} must be true or false")),
    }
}
