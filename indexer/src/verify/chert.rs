//! What a Chert record proves by itself: transaction signatures, wallet links, key rotations, work, block hashes.
//!
//! The signed bytes are this project's own rules (lines joined by line feeds) and hold on the synthetic network; a real
//! node's rules for blocks and transactions are not public, and there the verdict says so.

use std::fmt::Write;

use schema::chain::{Height, strip_0x};
use schema::event::{Check, KeyRotated, PublicKey, TransactionApplied, WalletLinked, WorkSubmitted};
use sha2::{Digest, Sha256};
use sha3::Sha3_256;

use crate::decode::sha256_hex;
use crate::verify::ed25519;

/// A rule for block hashes that sources announce by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashRule {
    /// SHA-256 over the domain and the canonical JSON of five members.
    ChertSynthetic1,
}

impl HashRule {
    /// The name in `/health`.
    pub fn name(self) -> &'static str {
        match self {
            Self::ChertSynthetic1 => "chert-synthetic-1",
        }
    }

    /// The rule with a name, if we know it.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::ChertSynthetic1].into_iter().find(|rule| rule.name() == name)
    }
}

/// What transaction signatures can be checked against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signatures<'a> {
    /// Chain id that they cover, where known.
    pub chain_id: Option<&'a str>,
    /// Whether the source announces that it signs by the public rule.
    pub is_rule_public: bool,
}

const NO_CHAIN_ID: &str = "the signature covers a chain id, and this source has none";

/// The hash of a block of the synthetic network.
pub fn synthetic_block_hash(
    height: Height,
    previous_block_hash: &str,
    timestamp: &str,
    validator: &str,
    tx_ids: &[&str],
) -> [u8; 32] {
    let text = |value: &str| serde_json::Value::from(value).to_string();
    let tx_ids: Vec<_> = tx_ids.iter().map(|id| text(id)).collect();
    // Members in the order of RFC 8785; its strings are those of `serde_json`, and heights are far below 2^53.
    let json = format!(
        r#"{{"block_number":{height},"previous_block_hash":{},"timestamp":{},"tx_ids":[{}],"validator_address":{}}}"#,
        text(previous_block_hash),
        text(timestamp),
        tx_ids.join(","),
        text(validator),
    );
    Sha256::new_with_prefix("CHERT_BLOCK_V1").chain_update(json).finalize().into()
}

/// The account address that a public key has.
pub fn account_address(public_key: &[u8]) -> String {
    let digest = Sha3_256::new_with_prefix("CHERT_ADDRESS_ACCOUNT_V2").chain_update(public_key).finalize();
    let hash: [u8; 32] = digest.into();
    format!("0x{}", hex::encode(&hash[..20]))
}

/// The bytes that a transaction's signature covers. A nonce or recipient that the record leaves out is empty.
pub fn transaction_message(chain_id: &str, tx: &TransactionApplied) -> String {
    let nonce = tx.nonce.as_ref().map_or("", |nonce| nonce.text());
    let data = tx.data.as_ref().map(|data| sha256_hex(data.as_bytes())).unwrap_or_default();
    lines(&[
        "chert:tx:v1",
        chain_id,
        &tx.tx_id,
        &tx.sender,
        tx.recipient.as_deref().unwrap_or_default(),
        tx.amount.text(),
        tx.fee.text(),
        nonce,
        tx.time.text(),
        &data,
    ])
}

/// Checks the signature that a transaction claims; none where it claims none.
pub fn transaction(rules: Signatures<'_>, tx: &TransactionApplied) -> Option<Check> {
    let signature = tx.signature.as_deref()?;
    if !rules.is_rule_public {
        return Some(Check::unverifiable("how this chain signs transactions is not public"));
    }
    let Some(chain_id) = rules.chain_id else { return Some(Check::unverifiable(NO_CHAIN_ID)) };
    let Some(public_key) = tx.public_key.as_deref() else {
        return Some(Check::unverifiable("the transaction does not name its key"));
    };
    if !derives(&tx.sender, public_key) {
        return Some(Check::refuted("the sender's address does not derive from the key"));
    }
    Some(ed25519::verify(public_key, signature, transaction_message(chain_id, tx).as_bytes()))
}

/// The bytes that a wallet signs to be linked.
pub fn wallet_link_message(chain_id: &str, link: &WalletLinked) -> String {
    lines(&["chert:wallet-link:v1", chain_id, link.identity_id.text(), &link.wallet_address, &link.link_type])
}

/// Checks that the wallet's key signed the link and that the address is that key's.
pub fn wallet_link(chain_id: Option<&str>, link: &WalletLinked) -> Check {
    if link.proof.alg != ed25519::ALG {
        return Check::unverifiable("there is no verifier for this algorithm");
    }
    if !is_account(&link.wallet_address) {
        return Check::unverifiable("how an address of this form derives from a key is not known");
    }
    let Some(chain_id) = chain_id else { return Check::unverifiable(NO_CHAIN_ID) };
    if !derives(&link.wallet_address, &link.proof.public_key) {
        return Check::refuted("the wallet's address does not derive from the key");
    }
    let message = wallet_link_message(chain_id, link);
    ed25519::verify(&link.proof.public_key, &link.proof.signature, message.as_bytes())
}

/// The bytes that a new key signs.
pub fn key_rotation_message(chain_id: &str, rotation: &KeyRotated) -> String {
    let (id, key) = (rotation.identity_id.text(), &rotation.key);
    lines(&["chert:rotate-key:v1", chain_id, id, &key.alg, &key.public_key])
}

/// Checks that the new key signed the rotation.
pub fn key_rotation(chain_id: Option<&str>, rotation: &KeyRotated) -> Check {
    if rotation.key.alg != ed25519::ALG {
        return Check::unverifiable("there is no verifier for this algorithm");
    }
    let is_same_key = strip_0x(&rotation.proof.public_key).eq_ignore_ascii_case(strip_0x(&rotation.key.public_key));
    if rotation.proof.alg != rotation.key.alg || !is_same_key {
        return Check::refuted("the proof is not by the new key");
    }
    let Some(chain_id) = chain_id else { return Check::unverifiable(NO_CHAIN_ID) };
    let message = key_rotation_message(chain_id, rotation);
    ed25519::verify(&rotation.key.public_key, &rotation.proof.signature, message.as_bytes())
}

/// The bytes that an oracle signs for a submission; none where the record lacks what they cover.
pub fn work_message(chain_id: &str, work: &WorkSubmitted) -> Option<String> {
    let seconds = work.validated_at.as_ref()?.get().exact().timestamp().to_string();
    Some(lines(&[
        "chert:pouw:v1",
        chain_id,
        &work.submission_id,
        &work.miner_address,
        work.oracle_id.as_deref()?,
        &work.work_type,
        work.difficulty.as_ref()?.text(),
        work.credit.as_ref().map_or("", |credit| credit.text()),
        work.reward.as_ref()?.text(),
        &seconds,
    ]))
}

/// Checks an oracle's signature under the key that the oracle is registered with; none where nothing is signed.
/// Which key that is depends on what came before, so a fold calls this.
pub fn oracle_work(chain_id: Option<&str>, work: &WorkSubmitted, key: &PublicKey) -> Option<Check> {
    let signature = work.oracle_signature.as_deref()?;
    if key.alg != ed25519::ALG {
        return Some(Check::unverifiable("there is no verifier for this algorithm"));
    }
    let Some(chain_id) = chain_id else { return Some(Check::unverifiable(NO_CHAIN_ID)) };
    match work_message(chain_id, work) {
        Some(message) => Some(ed25519::verify(&key.public_key, signature, message.as_bytes())),
        None => Some(Check::unverifiable("the record lacks what the signature covers")),
    }
}

/// What the record alone says about an oracle's signature; none where nothing is signed.
pub fn oracle_work_without_key(work: &WorkSubmitted) -> Option<Check> {
    work.oracle_signature.as_ref().map(|_| Check::unverifiable("the oracle's key is not in the record"))
}

fn derives(address: &str, public_key: &str) -> bool {
    // Upper and lower case are different accounts to the chain, but one derivation; it writes lower case.
    ed25519::public_key_bytes(public_key).is_some_and(|key| account_address(&key).eq_ignore_ascii_case(address))
}

fn is_account(address: &str) -> bool {
    address.strip_prefix("0x").is_some_and(|hex| hex.len() == 40 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn lines(lines: &[&str]) -> String {
    let mut message = String::with_capacity(256);
    for (index, line) in lines.iter().enumerate() {
        let separator = if index > 0 { "\n" } else { "" };
        write!(message, "{separator}{line}").expect("a string takes every text");
    }
    message
}

#[cfg(test)]
mod tests;
