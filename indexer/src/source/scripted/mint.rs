//! The lines of a script become blocks, written as a node writes them and decoded like any other node's.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use schema::chain::Height;
use schema::source::SourceKind;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Step;
use super::language::{Action, Deed, Line, ScriptError};
use crate::decode::chert::{Rules, block};
use crate::source::BlockUnit;
use crate::verify::chert::{HashRule, synthetic_block_hash};

/// The chain id of every scripted chain.
pub const CHAIN_ID: &str = "scripted";
/// How scripted blocks are hashed.
pub(super) const HASH_RULE: HashRule = HashRule::ChertSynthetic1;
/// Time of block 0: 2026-01-01T00:00:00Z in unix seconds.
const GENESIS_SECONDS: i64 = 1_767_225_600;
/// Seconds from block to block.
const BLOCK_SECONDS: i64 = 10;

pub(super) fn steps(lines: &[Line]) -> Result<Vec<Step>, ScriptError> {
    let mut branch = Branch::default();
    let mut steps = Vec::with_capacity(lines.len() + 1);
    if !matches!(lines.first(), Some(Line::Block { height: Height::GENESIS, .. })) {
        steps.push(Step::Block(branch.mine(Height::GENESIS, 0, 0, &[])?));
    }
    for line in lines {
        match line {
            Line::Block { height, primes, seconds_later, actions } => {
                steps.push(Step::Block(branch.mine(*height, *primes, *seconds_later, actions)?));
            }
            Line::Reorg { to } => {
                branch.cut(*to)?;
                steps.push(Step::Reorg { to: *to });
            }
        }
    }
    Ok(steps)
}

/// The branch that is being built: everything about a block follows from the blocks below it.
#[derive(Default)]
struct Branch {
    blocks: Vec<Mined>,
}

/// A block and how it was written.
struct Mined {
    unit: BlockUnit,
    seconds_later: i64,
    actions: Vec<Action>,
}

impl Branch {
    fn cut(&mut self, to: Height) -> Result<(), ScriptError> {
        let before = self.blocks.len();
        self.blocks.retain(|block| block.unit.height <= to);
        if self.blocks.len() == before {
            return Err(ScriptError::new(&format!("~{to}"), "there is nothing above that height"));
        }
        Ok(())
    }

    /// Time of a block: every shift below it counts.
    fn time(&self, height: Height, seconds_later: i64) -> Option<DateTime<Utc>> {
        let mut seconds = BLOCK_SECONDS.checked_mul(height.to_db())?;
        for shift in self.blocks.iter().map(|block| block.seconds_later).chain([seconds_later]) {
            seconds = seconds.checked_add(shift)?;
        }
        DateTime::<Utc>::from_timestamp(GENESIS_SECONDS, 0)?.checked_add_signed(TimeDelta::try_seconds(seconds)?)
    }

    fn mine(
        &mut self,
        height: Height,
        primes: usize,
        seconds_later: i64,
        actions: &[Action],
    ) -> Result<BlockUnit, ScriptError> {
        let at = format!("{height}:");
        let parent = self.blocks.last().map(|block| &block.unit);
        let expected = parent.map_or(Some(Height::GENESIS), |parent| parent.height.next());
        if expected != Some(height) {
            return Err(ScriptError::new(&at, "not the height after the block before"));
        }
        let parent_hash = parent.map(|parent| parent.hash.to_string()).unwrap_or_default();
        let time = self
            .time(height, seconds_later)
            .ok_or_else(|| ScriptError::new(&at, "too high"))?
            .to_rfc3339_opts(SecondsFormat::Secs, true);
        let validator = format!("validator{}", "'".repeat(primes));
        let transactions = self.transactions(height, &time, actions)?;
        let ids: Vec<&str> = transactions.iter().map(|(id, _)| id.as_str()).collect();
        let hash = hex::encode(synthetic_block_hash(height, &parent_hash, &time, &validator, &ids));
        let transactions: Vec<&str> = transactions.iter().map(|(_, text)| text.as_str()).collect();
        let text = format!(
            r#"{{"block_number":{height},"block_hash":"{hash}","previous_block_hash":"{parent_hash}","timestamp":"{time}","validator_address":"{validator}","tx_count":{},"transactions":[{}]}}"#,
            transactions.len(),
            transactions.join(",")
        );
        let rules =
            Rules { kind: SourceKind::Scripted, chain_id: Some(CHAIN_ID.to_owned()), hash_rule: Some(HASH_RULE) };
        let unit = block(&rules, &text).map_err(|error| ScriptError::new(&at, error.to_string()))?;
        self.blocks.push(Mined { unit: unit.clone(), seconds_later, actions: actions.to_vec() });
        Ok(unit)
    }

    /// Id and text of each transaction. An action that is repeated on another branch is the same transaction.
    fn transactions(
        &self,
        height: Height,
        time: &str,
        actions: &[Action],
    ) -> Result<Vec<(String, String)>, ScriptError> {
        let mut repeats: BTreeMap<&str, u64> = BTreeMap::new();
        let mut nonces: BTreeMap<&str, u64> = BTreeMap::new();
        for action in self.blocks.iter().flat_map(|block| &block.actions) {
            *repeats.entry(&action.text).or_default() += 1;
            *nonces.entry(&action.sender).or_default() += 1;
        }
        let mut transactions = Vec::with_capacity(actions.len());
        for action in actions {
            if matches!(action.deed, Deed::Allocate { .. }) && height != Height::GENESIS {
                return Err(ScriptError::new(&action.text, "allocations are in block 0"));
            }
            let repeat = repeats.entry(&action.text).or_default();
            let nonce = nonces.entry(&action.sender).or_default();
            let id = id(&action.text, *repeat);
            let text = transaction(action, &id, *nonce, time)?;
            *repeat += 1;
            *nonce += 1;
            transactions.push((id, text));
        }
        Ok(transactions)
    }
}

fn id(action: &str, repeat: u64) -> String {
    let digest: [u8; 32] = Sha256::digest(format!("{repeat}|{action}")).into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

fn transaction(action: &Action, id: &str, nonce: u64, time: &str) -> Result<String, ScriptError> {
    let made = |kind: &str, address: &str, amount: u64| {
        json!({"v": 1, "kind": kind, "address": address, "amount": amount}).to_string()
    };
    let (recipient, amount, data) = match &action.deed {
        Deed::Allocate { to, amount } => (to.as_str(), 0, Some(made("genesis.allocate", to, *amount))),
        Deed::Mint { to, amount } => (to.as_str(), 0, Some(made("reward.mint", to, *amount))),
        Deed::Transfer { to, amount } => (to.as_str(), *amount, None),
        Deed::Say { payload } => (action.sender.as_str(), 0, Some(payload.clone())),
    };
    let mut text = format!(
        r#"{{"tx_id":"{id}","sender":{},"recipient":{},"amount":{amount},"fee":{},"nonce":{nonce},"timestamp":"{time}""#,
        Value::from(action.sender.as_str()),
        Value::from(recipient),
        action.fee,
    );
    if let Some(data) = data {
        // The payload goes in as it was written; a value would lose what JSON may say twice.
        let data = serde_json::from_str::<&RawValue>(&data)
            .map_err(|error| ScriptError::new(&action.text, format!("the payload is not JSON: {error}")))?;
        text.push_str(",\"data\":");
        text.push_str(data.get());
    }
    text.push('}');
    Ok(text)
}
