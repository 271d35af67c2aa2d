//! Transactions and blocks as JSON text, with their signatures and hashes.
//!
//! The text is written once, by hand, and never parsed again by the generator. It must not know why a transaction is
//! made.

use std::fmt::Write;

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use sha2::{Digest, Sha256};

use super::cast::Actor;

/// Writes formatted text at the end of a `String`, which takes every write.
macro_rules! put {
    ($out:expr, $($arg:tt)*) => {
        write!($out, $($arg)*).expect("a string takes every write")
    };
}
pub(crate) use put;

/// Everything a transaction says about itself.
pub struct Transaction<'a> {
    /// Its UUID.
    pub tx_id: &'a str,
    /// Who pays.
    pub sender: &'a str,
    /// Who receives.
    pub recipient: &'a str,
    /// Base units; the sum of `outputs` where there are any.
    pub amount: u64,
    /// Base units to the levy account.
    pub fee: u64,
    /// Number of earlier transactions of the sender.
    pub nonce: u64,
    /// RFC 3339.
    pub timestamp: &'a str,
    /// Several recipients instead of one.
    pub outputs: &'a [(&'a str, u64)],
    /// The JSON text of `stealth_outputs`, if any.
    pub stealth_outputs: Option<&'a str>,
    /// The JSON text of `data`, if any.
    pub data: Option<&'a str>,
}

/// Writes a transaction, signed by `signer`; without one it carries an empty signature and no key.
pub fn write_transaction(
    out: &mut String,
    chain_id: &str,
    tx: &Transaction<'_>,
    signer: Option<&Actor>,
    genuine: bool,
) {
    let signature = signer.map(|actor| actor.sign(signed_text(chain_id, tx).as_bytes(), genuine)).unwrap_or_default();
    put!(
        out,
        r#"{{"tx_id":"{}","sender":"{}","recipient":"{}","amount":{},"fee":{},"nonce":{},"timestamp":"{}","signature":"{}""#,
        tx.tx_id,
        tx.sender,
        tx.recipient,
        tx.amount,
        tx.fee,
        tx.nonce,
        tx.timestamp,
        signature
    );
    if let Some(actor) = signer {
        put!(out, r#","public_key":"{}""#, actor.public_key);
    }
    for (index, (recipient, amount)) in tx.outputs.iter().enumerate() {
        out.push_str(if index == 0 { r#","outputs":["# } else { "," });
        put!(out, r#"{{"recipient":"{recipient}","amount":{amount}}}"#);
    }
    if !tx.outputs.is_empty() {
        out.push(']');
    }
    if let Some(stealth) = tx.stealth_outputs {
        put!(out, r#","stealth_outputs":{stealth}"#);
    }
    if let Some(data) = tx.data {
        put!(out, r#","data":{data}"#);
    }
    out.push('}');
}

fn signed_text(chain_id: &str, tx: &Transaction<'_>) -> String {
    let mut text = String::with_capacity(384);
    put!(
        text,
        "chert:tx:v1\n{chain_id}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n",
        tx.tx_id,
        tx.sender,
        tx.recipient,
        tx.amount,
        tx.fee,
        tx.nonce,
        tx.timestamp
    );
    if let Some(data) = tx.data {
        text.push_str(&hex::encode(Sha256::digest(data.as_bytes())));
    }
    text
}

/// A finished block.
#[derive(Debug, Clone)]
pub struct EncodedBlock {
    /// Its height.
    pub height: u64,
    /// Its hash.
    pub hash: [u8; 32],
    /// The branch it was mined on.
    pub branch: u32,
    /// So many leading bytes of `json`, closed with a brace, are the block without its transactions.
    pub header_len: usize,
    /// The block with its transactions.
    pub json: Bytes,
}

/// What a block says besides its transactions.
pub struct Header<'a> {
    /// Its height.
    pub height: u64,
    /// The branch it is mined on.
    pub branch: u32,
    /// Hash of the block before it; zeros for block 0.
    pub previous: [u8; 32],
    /// RFC 3339.
    pub timestamp: &'a str,
    /// `VAL…`.
    pub validator: &'a str,
    /// Entries of the state.
    pub state_leaves: usize,
}

const GAS_PER_TRANSACTION: u64 = 21_000;
const GAS_LIMIT: u64 = 30_000_000;

/// Puts a block around transactions that are written already.
pub fn encode_block(header: &Header<'_>, tx_ids: &[String], transactions: &str) -> EncodedBlock {
    let hash = block_hash(header, tx_ids);
    let count = super::dice::to_u64(tx_ids.len());
    let gas_used = count * GAS_PER_TRANSACTION;
    let mut json = String::with_capacity(transactions.len() + 768);
    put!(
        json,
        r#"{{"block_number":{},"block_hash":"{}","previous_block_hash":"{}","timestamp":"{}","validator_address":"{}","gas_used":{},"gas_limit":{},"state_root":["#,
        header.height,
        hex::encode(hash),
        hex::encode(header.previous),
        header.timestamp,
        header.validator,
        gas_used,
        GAS_LIMIT.max(gas_used)
    );
    let state_root: [u8; 32] = Sha256::new().chain_update(b"state").chain_update(hash).finalize().into();
    for (index, byte) in state_root.iter().enumerate() {
        put!(json, "{}{byte}", if index == 0 { "" } else { "," });
    }
    put!(json, r#"],"state_leaf_count":{},"transaction_count":{count}"#, header.state_leaves);
    let header_len = json.len();
    put!(json, r#","transactions":[{transactions}]}}"#);
    EncodedBlock { height: header.height, hash, branch: header.branch, header_len, json: json.into() }
}

/// SHA-256 over the domain and the canonical JSON (RFC 8785: keys sorted, no spaces; none of these strings needs an
/// escape) of what the hash rule names.
fn block_hash(header: &Header<'_>, tx_ids: &[String]) -> [u8; 32] {
    let mut text = String::with_capacity(256 + 40 * tx_ids.len());
    put!(
        text,
        r#"{{"block_number":{},"previous_block_hash":"{}","timestamp":"{}","tx_ids":["#,
        header.height,
        hex::encode(header.previous),
        header.timestamp
    );
    for (index, id) in tx_ids.iter().enumerate() {
        put!(text, r#"{}"{id}""#, if index == 0 { "" } else { "," });
    }
    put!(text, r#"],"validator_address":"{}"}}"#, header.validator);
    Sha256::new().chain_update(b"CHERT_BLOCK_V1").chain_update(text).finalize().into()
}

/// RFC 3339 with milliseconds.
pub fn rfc3339_ms(time_ms: u64) -> String {
    let time = i64::try_from(time_ms).ok().and_then(DateTime::<Utc>::from_timestamp_millis);
    time.expect("block times stay within the calendar").to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// RFC 3339 with seconds.
pub fn rfc3339_s(time_s: u64) -> String {
    let time = i64::try_from(time_s).ok().and_then(|s| DateTime::<Utc>::from_timestamp(s, 0));
    time.expect("times stay within the calendar").to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// `text` as a JSON string, quotes included.
pub fn json_string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c < ' ' => put!(out, "\\u{:04x}", u32::from(c)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
