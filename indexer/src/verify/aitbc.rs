//! What an AITBC record (HEAD dialect) proves by itself: block hashes, proposer signatures, membership of transactions,
//! and, where a transaction is seen with its signature, its sender and its hash.

use std::collections::BTreeMap;

use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};
use schema::chain::{AddressRule, Height, strip_0x};
use schema::event::{BlockApplied, Check, Checks, Verdict};
use sha2::{Digest, Sha256};
use sha3::Keccak256;

use crate::decode::Misfit;
use crate::decode::json::Object;
use crate::verify::python_json;

/// The bytes that a block's hash covers; genesis follows [`genesis_preimage`] instead.
pub fn block_preimage(chain_id: &str, height: Height, parent_hash: &str, time: &str, tx_hashes: &[&str]) -> String {
    let mut sorted = tx_hashes.to_vec();
    sorted.sort_unstable();
    format!("{chain_id}|{height}|{parent_hash}|{}|{}", with_zone(time), sorted.join("|"))
}

/// The bytes that the genesis hash covers.
pub fn genesis_preimage(chain_id: &str, time: &str) -> String {
    format!("00x00{}{chain_id}", with_zone(time))
}

/// Answers leave out the zone that the hash was made with.
fn with_zone(time: &str) -> String {
    if time.ends_with("+00:00") { time.to_owned() } else { format!("{time}+00:00") }
}

/// Checks a block's hash against what the answer says of the block.
pub fn block_hash_check(chain_id: Option<&str>, block: &BlockApplied, tx_hashes: &[&str]) -> Check {
    let Some(chain_id) = chain_id else {
        return Check::unverifiable("the hash covers a chain id, and this source has none");
    };
    let (height, time) = (*block.height.get(), block.time.text());
    let is_genesis = height == Height::GENESIS;
    let preimage = if is_genesis {
        genesis_preimage(chain_id, time)
    } else {
        block_preimage(chain_id, height, &block.parent_hash, time, tx_hashes)
    };
    if strip_0x(&block.hash).eq_ignore_ascii_case(&hex::encode(Sha256::digest(preimage))) {
        Check::verified()
    } else if is_genesis {
        Check::unverifiable("a follower states its own first start as the time of genesis")
    } else {
        Check::refuted("the hash is not that of the block's content")
    }
}

/// Checks that the proposer signed the block's hash.
pub fn proposer_signature_check(block: &BlockApplied) -> Check {
    if *block.height.get() == Height::GENESIS {
        return Check::unverifiable("nobody signs the genesis block");
    }
    let Some(signature) = block.signature.as_deref() else {
        return Check::unverifiable("the signature is missing; an imported chain has lost it");
    };
    let mut hash = [0; 32];
    if hex::decode_to_slice(strip_0x(&block.hash), &mut hash).is_err() {
        return Check::refuted("the hash that is signed is not 32 bytes");
    }
    match recover(&hash, signature) {
        None => Check::refuted("the signature is not one of any key"),
        Some(signer) if is_account(&block.validator, &signer) => Check::verified(),
        Some(signer) => Check::refuted(format!("the signature is that of {signer}")),
    }
}

/// What history proves of a transaction: that it is in the block, and nothing of what it says.
pub fn transaction_checks(block_hash: &Check) -> Checks {
    let membership = match block_hash.verdict {
        Verdict::Verified => Check::verified(),
        Verdict::Refuted => Check::unverifiable("the block's hash does not hold"),
        Verdict::Unverifiable => Check::unverifiable("the block's hash could not be checked"),
    };
    let hash = Check::unverifiable("the hash covers a signature that history does not show");
    Checks::from([("membership".to_owned(), membership), ("hash".to_owned(), hash)])
}

/// The address (`0x` and lower-case hex) whose key made a recoverable signature (`r ‖ s ‖ v`, hex) over 32 bytes.
pub fn recover(prehash: &[u8; 32], signature: &str) -> Option<String> {
    let mut bytes = [0; 65];
    hex::decode_to_slice(strip_0x(signature), &mut bytes).ok()?;
    let (rs, v) = bytes.split_at(64);
    let v = v.first().copied()?;
    let parity = RecoveryId::from_byte(if v >= 27 { v - 27 } else { v }).filter(|id| !id.is_x_reduced())?;
    let signature = Signature::from_slice(rs).ok()?;
    // The chain takes both forms of a signature; the library takes the low one, whose parity is the other.
    let (signature, parity) = match signature.normalize_s() {
        Some(low) => (low, RecoveryId::new(!parity.is_y_odd(), false)),
        None => (signature, parity),
    };
    let key = VerifyingKey::recover_from_prehash(prehash, &signature, parity).ok()?;
    let point = key.to_encoded_point(false);
    let hash: [u8; 32] = Keccak256::digest(point.as_bytes().get(1..)?).into();
    Some(format!("0x{}", hex::encode(hash.get(12..)?)))
}

fn is_account(spelled: &str, address: &str) -> bool {
    AddressRule::Aitbc.canonical(spelled).is_ok_and(|canonical| canonical.as_str() == address)
}

/// A transaction as the push feed and the mempool show it: with its signature, so that everything can be checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedTransaction {
    /// The text that its signature covers.
    pub signed_text: String,
    /// The text that its hash covers.
    pub hashed_text: String,
    signature: Option<String>,
    from: String,
}

impl SignedTransaction {
    /// Reads `{chain_id, type, from, to, amount, fee, nonce, payload, signature}`.
    pub fn read(text: &str) -> Result<Self, Misfit> {
        let tx = Object::parse(text)?;
        let mut members = BTreeMap::new();
        for name in ["amount", "chain_id", "fee", "from", "nonce", "payload", "to", "type"] {
            members.insert(name, python_json::canonical(tx.need(name)?)?);
        }
        let signed_text = python_json::object(&members);
        // Marketplace offers are not signed, and their hash covers that there is no signature.
        let signature = tx.given("signature")?.map(python_json::canonical).transpose()?;
        members.insert("signature", signature.unwrap_or_else(|| "null".to_owned()));
        members.insert("value", python_json::canonical(tx.need("amount")?)?);
        members.insert("type", python_json::string(&tx.text("type")?.to_uppercase()));
        let hashed_text = python_json::object(&members);
        Ok(Self { signed_text, hashed_text, signature: tx.optional_text("signature")?, from: tx.text("from")? })
    }

    /// The hash that it has in blocks: hex with `0x`.
    pub fn hash(&self) -> String {
        format!("0x{}", hex::encode(Sha256::digest(&self.hashed_text)))
    }

    /// The 32 bytes that are signed.
    pub fn prehash(&self) -> [u8; 32] {
        Keccak256::digest(&self.signed_text).into()
    }

    /// Checks that the sender signed it.
    pub fn check(&self) -> Check {
        let Some(signature) = &self.signature else { return Check::unverifiable("the transaction is not signed") };
        match recover(&self.prehash(), signature) {
            None => Check::refuted("the signature is not one of any key"),
            Some(signer) if is_account(&self.from, &signer) => Check::verified(),
            Some(signer) => Check::refuted(format!("the signature is that of {signer}")),
        }
    }
}

#[cfg(test)]
mod tests;
