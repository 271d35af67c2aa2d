//! A second reading of the wire's rules, so that the generator is not its own judge.

use std::collections::BTreeMap;

use ed25519_dalek::{Signature, VerifyingKey};
use loadtest::network::{Chain, NetworkConfig, StoredBlock};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use sha3::Sha3_256;

/// A small chain with everything in it.
pub fn small() -> NetworkConfig {
    NetworkConfig {
        seed: 42,
        history_blocks: 60,
        txs_per_block: 12,
        fork_every_blocks: 6,
        accounts: 120,
        identities: 40,
        ..NetworkConfig::default()
    }
}

/// A larger one in which every kind of mistake occurs.
pub fn wild() -> NetworkConfig {
    NetworkConfig {
        bad_signature_per_mille: 50,
        defect_per_mille: 80,
        oddity_per_mille: 60,
        stealth_per_mille: 20,
        history_blocks: 400,
        txs_per_block: 25,
        ..small()
    }
}

pub fn chain(config: NetworkConfig) -> Chain {
    Chain::new(config).expect("a valid configuration in memory")
}

pub fn block(chain: &Chain, height: u64) -> StoredBlock {
    chain.block(height).expect("no file is involved").expect("the height exists")
}

pub fn blocks(chain: &Chain) -> Vec<StoredBlock> {
    (0..=chain.head().height).map(|height| block(chain, height)).collect()
}

#[derive(Deserialize)]
pub struct Tx<'a> {
    pub tx_id: String,
    pub sender: String,
    pub recipient: String,
    pub amount: u64,
    pub fee: u64,
    pub nonce: u64,
    pub timestamp: String,
    pub signature: String,
    pub public_key: Option<String>,
    #[serde(default)]
    pub outputs: Vec<Output>,
    pub stealth_outputs: Option<Value>,
    #[serde(borrow)]
    pub data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub struct Output {
    pub recipient: String,
    pub amount: u64,
}

pub fn transactions(block: &StoredBlock) -> Vec<Tx<'_>> {
    block.transactions().iter().map(|raw| serde_json::from_str(raw.get()).expect("a transaction")).collect()
}

/// The payload behind any of its three spellings; nothing for texts that are no JSON object.
pub fn payload(tx: &Tx<'_>) -> Option<Value> {
    let value: Value = serde_json::from_str(tx.data?.get()).ok()?;
    let value = match value.as_str() {
        None => value,
        Some(text) => match serde_json::from_str(text) {
            Ok(inner) => inner,
            Err(_) => serde_json::from_slice(&hex::decode(text).ok()?).ok()?,
        },
    };
    value.get("kind").is_some().then_some(value)
}

pub fn verifies(public_key: &str, signature: &str, text: &str) -> bool {
    let key: [u8; 32] = hex::decode(public_key).expect("hex").try_into().expect("32 bytes");
    let signature = Signature::from_slice(&hex::decode(signature).expect("hex")).expect("64 bytes");
    VerifyingKey::from_bytes(&key).expect("a point").verify_strict(text.as_bytes(), &signature).is_ok()
}

pub fn derived_address(public_key: &str) -> String {
    let key = hex::decode(public_key).expect("hex");
    let digest = Sha3_256::new().chain_update("CHERT_ADDRESS_ACCOUNT_V2").chain_update(key).finalize();
    format!("0x{}", hex::encode(&digest[..20]))
}

pub fn signed_text(chain_id: &str, tx: &Tx<'_>) -> String {
    let data = tx.data.map_or(String::new(), |raw| hex::encode(Sha256::digest(raw.get())));
    [
        "chert:tx:v1",
        chain_id,
        &tx.tx_id,
        &tx.sender,
        &tx.recipient,
        &tx.amount.to_string(),
        &tx.fee.to_string(),
        &tx.nonce.to_string(),
        &tx.timestamp,
        &data,
    ]
    .join("\n")
}

/// A transaction with a payload, as it stands in a block.
pub struct StoredTx {
    pub sender: String,
    pub payload: Value,
    /// The payload's fields as the block spells them; empty unless the payload is a plain object.
    pub spelled: BTreeMap<String, String>,
}

/// The time of each block and its payloads, in order.
pub fn payloads(chain: &Chain) -> Vec<(String, Vec<StoredTx>)> {
    let of = |block: &StoredBlock| {
        let header: Value = serde_json::from_str(&block.json_without_transactions()).expect("JSON");
        let time = header["timestamp"].as_str().expect("text").to_owned();
        let stored = |tx: &Tx<'_>| {
            let raw: BTreeMap<String, Box<RawValue>> = serde_json::from_str(tx.data?.get()).unwrap_or_default();
            let spelled = raw.into_iter().map(|(name, value)| (name, value.get().to_owned())).collect();
            Some(StoredTx { sender: tx.sender.clone(), payload: payload(tx)?, spelled })
        };
        (time, transactions(block).iter().filter_map(stored).collect())
    };
    blocks(chain).iter().map(of).collect()
}
