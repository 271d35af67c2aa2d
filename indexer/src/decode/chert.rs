//! Blocks of a Chert node become units of events.
//!
//! It must not know how the blocks were asked for.

use std::collections::BTreeSet;

use schema::chain::{BlockHash, Height, Spelled, Time, TxId};
use schema::event::{BlockApplied, Check, Checks, Entry, Event, TransactionApplied, Unit};
use schema::source::SourceKind;
use serde_json::value::RawValue;

use crate::decode::json::{self, Object};
use crate::decode::{
    Misfit, entry, limits, payload, take_long_payload, transfer, unrecognized_payload, unrecognized_transaction,
};
use crate::source::{BlockUnit, SourceError};
use crate::verify::chert::{HashRule, Signatures, synthetic_block_hash};

/// What is known about a source before any of its blocks is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Whose rules of addresses and system accounts apply.
    pub kind: SourceKind,
    /// Chain id that signatures cover, where known.
    pub chain_id: Option<String>,
    /// How block hashes are made, where the source announces a rule that we know.
    pub hash_rule: Option<HashRule>,
}

impl Rules {
    /// What transaction signatures of this source can be checked against.
    pub fn signatures(&self) -> Signatures<'_> {
        Signatures { chain_id: self.chain_id.as_deref(), is_rule_public: self.hash_rule.is_some() }
    }
}

/// Height, hash and time of a block, without its transactions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Height of the block.
    pub height: Height,
    /// Hash of the block.
    pub hash: BlockHash,
    /// Block time.
    pub time: Spelled<Time>,
}

/// Reads the envelope of a block and nothing else.
pub fn header(text: &str) -> Result<Header, SourceError> {
    let block = Object::parse(text)?;
    let height = *block.plain_number::<Height>("block_number")?.get();
    let hash = block.spelled::<BlockHash>("block_hash")?.get().clone();
    Ok(Header { height, hash, time: block.spelled("timestamp")? })
}

/// Reads a block with its transactions. Whatever is wrong with the block itself refuses it.
pub fn block(rules: &Rules, text: &str) -> Result<BlockUnit, SourceError> {
    let block = Object::parse(text).map_err(|misfit| misfit.within("block"))?;
    let place = |misfit: Misfit| match block.given("block_number") {
        Ok(Some(height)) => misfit.within(&format!("block {}", height.get().chars().take(20).collect::<String>())),
        Ok(None) | Err(_) => misfit.within("block"),
    };
    Ok(read(rules, &block).map_err(place)?)
}

/// Checks that blocks follow each other: heights without holes, each naming the one before as its parent.
pub fn contiguous(blocks: &[BlockUnit]) -> Result<(), SourceError> {
    for pair in blocks.windows(2) {
        let [before, after] = pair else { continue };
        if before.height.next() != Some(after.height) {
            return Err(SourceError::Malformed(format!("block {} follows block {}", after.height, before.height)));
        }
        if after.parent_hash.as_ref() != Some(&before.hash) {
            return Err(SourceError::Malformed(format!(
                "the parent of block {} is not the block {} in the same answer",
                after.height, before.height
            )));
        }
    }
    Ok(())
}

fn read(rules: &Rules, block: &Object<'_>) -> Result<BlockUnit, Misfit> {
    let height: Spelled<Height> = block.plain_number("block_number")?;
    let hash: Spelled<BlockHash> = block.spelled("block_hash")?;
    let parent = block.optional_text("previous_block_hash")?.unwrap_or_default();
    let parent_hash = match parent.as_str() {
        "" if *height.get() == Height::GENESIS => None,
        text => Some(text.parse::<BlockHash>().map_err(|bad| Misfit(format!("`previous_block_hash`: {bad}")))?),
    };
    let time: Spelled<Time> = block.spelled("timestamp")?;
    let validator = block.text("validator_address")?;
    rules.kind.address_rule().canonical(&validator).map_err(|bad| Misfit(format!("`validator_address`: {bad}")))?;
    let transactions = json::array("transactions", block.need("transactions")?)?;
    limits::count("transactions", transactions.len(), limits::TRANSACTIONS_MAX, "elements")?;
    let transactions = identified(transactions)?;
    let (tx_count, count) = tx_count(block, transactions.len())?;

    let mut checks = Checks::new();
    if let Some(count) = count {
        checks.insert("count".to_owned(), count);
    }
    let tx_ids: Vec<&str> = transactions.iter().map(|tx| tx.spelled_id.as_str()).collect();
    let hash_check = match rules.hash_rule {
        Some(HashRule::ChertSynthetic1) => {
            let expected = synthetic_block_hash(*height.get(), &parent, time.text(), &validator, &tx_ids);
            if expected == hash.get().as_bytes() {
                Check::verified()
            } else {
                Check::refuted("the hash is not that of the block's content")
            }
        }
        None => Check::unverifiable("how this chain makes block hashes is not public"),
    };
    checks.insert("hash".to_owned(), hash_check);
    let signature = block.optional_text("signature")?.filter(|text| !text.is_empty());
    let signature =
        signature.map(|text| limits::bytes("signature", text, limits::BLOCK_SIGNATURE_BYTES_MAX)).transpose()?;
    if signature.is_some() {
        let check = Check::unverifiable("how this chain signs blocks is not public");
        checks.insert("signature".to_owned(), check);
    }
    let body = BlockApplied {
        gas_limit: block.given("gas_limit")?.map(|_| block.plain_number("gas_limit")).transpose()?,
        gas_used: block.given("gas_used")?.map(|_| block.plain_number("gas_used")).transpose()?,
        hash: hash.text().to_owned(),
        metadata: None,
        parent_hash: parent,
        signature,
        state_root: block
            .given("state_root")?
            .map(|raw| limits::bytes("state_root", raw.get().to_owned(), limits::STATE_ROOT_BYTES_MAX))
            .transpose()?,
        tx_count: Spelled::parse(tx_count)?,
        validator,
        checks,
        height,
        time,
    };
    let mut entries = Vec::with_capacity(1 + 2 * transactions.len());
    for (index, tx) in transactions.iter().enumerate() {
        let index = u32::try_from(index).map_err(|_| Misfit::new("too many transactions"))?;
        entries.extend(transaction(rules, &body, index, tx));
    }
    let unit_block = (*body.height.get(), hash.get().clone());
    let occurred_at = body.time.get().micros();
    let (height, hash) = unit_block.clone();
    let checks = body.checks.clone();
    entries.insert(0, entry(Event::BlockApplied(body), None, Some(&checks), vec![]));
    Ok(BlockUnit { height, hash, parent_hash, unit: Unit { block: Some(unit_block), occurred_at, entries } })
}

/// The count that the block states, which must be right, or the one that was counted.
fn tx_count(block: &Object<'_>, counted: usize) -> Result<(String, Option<Check>), Misfit> {
    let stated = match block.given("tx_count")? {
        Some(raw) => Some(raw),
        None => block.given("transaction_count")?,
    };
    match stated {
        None => Ok((counted.to_string(), None)),
        Some(raw) if raw.get() == counted.to_string() => Ok((raw.get().to_owned(), Some(Check::verified()))),
        Some(_) => Err(Misfit(format!("it states another number of transactions than the {counted} that it has"))),
    }
}

/// A transaction with an id; those without one cannot be told apart, so they refuse their block. Ids that differ in
/// their spelling are different to the chain. One that no column can hold is that transaction's trouble alone.
struct Identified<'a> {
    tx: Object<'a>,
    id: Result<TxId, Misfit>,
    spelled_id: String,
}

fn identified(transactions: Vec<&RawValue>) -> Result<Vec<Identified<'_>>, Misfit> {
    let mut seen = BTreeSet::new();
    let mut identified = Vec::with_capacity(transactions.len());
    for (index, raw) in transactions.into_iter().enumerate() {
        let place = |misfit: Misfit| misfit.within(&format!("transaction {index}"));
        let tx = Object::parse(raw.get()).map_err(place)?;
        let spelled_id = tx.text("tx_id").map_err(place)?;
        let id = tx_id("tx_id", &spelled_id);
        if id.is_ok() && !seen.insert(spelled_id.clone()) {
            return Err(place(Misfit::new("its id is that of an earlier one in the block")));
        }
        identified.push(Identified { tx, id, spelled_id });
    }
    Ok(identified)
}

/// A transaction's id, as columns and look-ups have it.
pub(super) fn tx_id(name: &str, spelled: &str) -> Result<TxId, Misfit> {
    if spelled.chars().any(char::is_control) {
        return Err(Misfit(format!("`{name}` contains a control character")));
    }
    spelled.parse().map_err(|bad| Misfit(format!("`{name}`: {bad}")))
}

fn transaction(rules: &Rules, block: &BlockApplied, index: u32, tx: &Identified<'_>) -> Vec<Entry> {
    let at = match &tx.id {
        Ok(id) => Some((id.clone(), index)),
        Err(misfit) => return vec![unrecognized_transaction(misfit.clone(), &transfer::without_memos(&tx.tx), None)],
    };
    let read = transfer::read(rules, &block.time, &tx.tx, tx.spelled_id.clone())
        .and_then(|applied| Ok((transfer::subjects(rules, &applied)?, applied)));
    match read {
        Err(misfit) => vec![unrecognized_transaction(misfit, &transfer::without_memos(&tx.tx), at)],
        Ok((subjects, mut applied)) => {
            let long = take_long_payload(&mut applied, &at);
            let said = said(rules, block, &applied, &at);
            if let Some(Said::Payload { kind, .. }) = &said {
                applied.tx_type.clone_from(kind);
            }
            let checks = applied.checks.clone();
            let mut entries = vec![entry(Event::TransactionApplied(applied), at, Some(&checks), subjects)];
            match said {
                Some(Said::Payload { entry, .. } | Said::Unrecognized(entry)) => entries.push(*entry),
                None => entries.extend(long),
            }
            entries
        }
    }
}

enum Said {
    Payload { kind: String, entry: Box<Entry> },
    Unrecognized(Box<Entry>),
}

fn said(rules: &Rules, block: &BlockApplied, tx: &TransactionApplied, at: &Option<(TxId, u32)>) -> Option<Said> {
    let data = tx.data.as_deref()?;
    let carrier = payload::Carrier { rules, height: *block.height.get(), tx };
    match payload::read(&carrier, data) {
        Ok(None) => None,
        Ok(Some(read)) => {
            let entry =
                Box::new(Entry { event: read.event, tx: at.clone(), verdict: read.verdict, subjects: read.subjects });
            Some(Said::Payload { kind: read.kind, entry })
        }
        Err(misfit) => Some(Said::Unrecognized(Box::new(unrecognized_payload(misfit, data, at.clone())))),
    }
}

#[cfg(test)]
mod tests;
