//! Blocks of an AITBC node (HEAD dialect, `/rpc/blocks-range`) become units of events.
//!
//! History shows no transaction signatures, so senders and amounts are the node's word; what can be proved is proved.
//! It must not know how the blocks were asked for.

use std::collections::BTreeSet;

use schema::chain::{Amount, BlockHash, Height, Malformed, Spelled, TxId};
use schema::event::{
    Allocated, BlockApplied, Check, Checks, Entry, Event, Namespace, RewardUnit, Role, Subject, TransactionApplied,
    Unit, WorkSubmitted,
};
use schema::source::SourceKind;
use serde_json::value::RawValue;

use crate::decode::chert::{contiguous, tx_id};
use crate::decode::json::{self, Object};
use crate::decode::{Misfit, entry, limits, take_long_payload, unrecognized_payload, unrecognized_transaction};
use crate::source::{BlockUnit, SourceError};
use crate::verify;

/// Characters of a receipt's id.
const RECEIPT_ID_MAX: usize = 64;
/// Bytes of a block's metadata. Of a longer text only the digest is kept, and the allocations that it makes.
const METADATA_BYTES_MAX: usize = 1 << 20;

/// What is known about a source before any of its blocks is read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules {
    /// Chain id that block hashes cover, where known; the answers themselves do not name it.
    pub chain_id: Option<String>,
}

/// Reads the answer of `/rpc/blocks-range`: ascending, without holes, each block's parent the one before it.
pub fn blocks(rules: &Rules, text: &str) -> Result<Vec<BlockUnit>, SourceError> {
    let mut blocks = Vec::new();
    for raw in raw_blocks(text)? {
        blocks.push(block(rules, raw.get())?);
    }
    blocks.sort_by_key(|block| block.height);
    contiguous(&blocks)?;
    Ok(blocks)
}

/// Reads only heights and hashes of the answer of `/rpc/blocks-range`, in ascending order.
pub fn hashes(text: &str) -> Result<Vec<(Height, BlockHash)>, SourceError> {
    let mut hashes = Vec::new();
    for raw in raw_blocks(text)? {
        let block = Object::parse(raw.get())?;
        hashes
            .push((*block.plain_number::<Height>("height")?.get(), block.spelled::<BlockHash>("hash")?.get().clone()));
    }
    hashes.sort();
    Ok(hashes)
}

fn raw_blocks(text: &str) -> Result<Vec<&RawValue>, SourceError> {
    let answer = Object::parse(text)?;
    let blocks = json::array("blocks", answer.need("blocks")?)?;
    match answer.given("count")? {
        Some(count) if count.get() != blocks.len().to_string() => {
            Err(SourceError::Malformed("the answer states another number of blocks than it has".to_owned()))
        }
        Some(_) | None => Ok(blocks),
    }
}

/// Reads one block with its transactions. Whatever is wrong with the block itself refuses it.
pub fn block(rules: &Rules, text: &str) -> Result<BlockUnit, SourceError> {
    let block = Object::parse(text).map_err(|misfit| misfit.within("block"))?;
    Ok(read(rules, &block).map_err(|misfit| match block.given("height") {
        Ok(Some(height)) => misfit.within(&format!("block {}", height.get().chars().take(20).collect::<String>())),
        Ok(None) | Err(_) => misfit.within("block"),
    })?)
}

fn read(rules: &Rules, block: &Object<'_>) -> Result<BlockUnit, Misfit> {
    let height: Spelled<Height> = block.plain_number("height")?;
    let hash: Spelled<BlockHash> = block.spelled("hash")?;
    let parent: Spelled<BlockHash> = block.spelled("parent_hash")?;
    let rows = json::array("transactions", block.need("transactions")?)?;
    limits::count("transactions", rows.len(), limits::TRANSACTIONS_MAX, "elements")?;
    let rows = identified(rules, height.get(), rows)?;
    let tx_count: Spelled<Amount> = block.plain_number("tx_count")?;
    if u64::try_from(rows.len()) != Ok(tx_count.get().get()) {
        return Err(Misfit::new("it states another number of transactions than it has"));
    }
    let metadata = block.given("block_metadata")?;
    let metadata = metadata.map(|raw| json::text("block_metadata", raw).unwrap_or_else(|_| raw.get().to_owned()));
    let signature = block.optional_text("signature")?.filter(|text| !text.is_empty());
    let state_root = block.optional_text("state_root")?;
    let mut body = BlockApplied {
        checks: Checks::new(),
        gas_limit: None,
        gas_used: None,
        hash: hash.text().to_owned(),
        height: height.clone(),
        metadata: metadata.clone().filter(|text| text.len() <= METADATA_BYTES_MAX),
        parent_hash: parent.text().to_owned(),
        signature: signature
            .map(|text| limits::bytes("signature", text, limits::BLOCK_SIGNATURE_BYTES_MAX))
            .transpose()?,
        state_root: state_root
            .map(|text| limits::line("state_root", text, limits::STATE_ROOT_BYTES_MAX))
            .transpose()?,
        time: block.spelled("timestamp")?,
        tx_count,
        validator: block.text("proposer")?,
    };
    SourceKind::Aitbc.address_rule().canonical(&body.validator)?;
    let tx_hashes: Vec<&str> = rows.iter().map(|row| row.spelled_id.as_str()).collect();
    let hash_check = verify::aitbc::block_hash_check(rules.chain_id.as_deref(), &body, &tx_hashes);
    body.checks.insert("hash".to_owned(), hash_check.clone());
    body.checks.insert("count".to_owned(), Check::verified());
    body.checks.insert("signature".to_owned(), verify::aitbc::proposer_signature_check(&body));

    let mut entries = Vec::with_capacity(1 + 2 * rows.len());
    let checks = body.checks.clone();
    entries.push(entry(Event::BlockApplied(body.clone()), None, Some(&checks), vec![]));
    if let Some(text) = metadata.as_deref().filter(|text| text.len() > METADATA_BYTES_MAX) {
        let reason = Misfit(format!("`block_metadata` is longer than {METADATA_BYTES_MAX} bytes"));
        entries.push(unrecognized_payload(reason, text, None));
    }
    if *height.get() == Height::GENESIS {
        entries.extend(allocations(metadata.as_deref()));
    }
    for (index, row) in rows.iter().enumerate() {
        let index = u32::try_from(index).map_err(|_| Misfit::new("too many transactions"))?;
        entries.extend(transaction(&body, &hash_check, index, row));
    }
    let unit_block = (*height.get(), hash.get().clone());
    let occurred_at = body.time.get().micros();
    Ok(BlockUnit {
        height: *height.get(),
        hash: hash.get().clone(),
        parent_hash: Some(parent.get().clone()),
        unit: Unit { block: Some(unit_block), occurred_at, entries },
    })
}

/// The allocations in block 0's metadata, in their order. One that cannot be read leaves the chain's money incomplete,
/// so it counts as a transaction that was not understood.
fn allocations(metadata: Option<&str>) -> Vec<Entry> {
    let Some(text) = metadata else { return vec![] };
    let rows = Object::parse(text).and_then(|metadata| {
        let rows = metadata.optional_array("allocations")?.unwrap_or_default();
        limits::count("allocations", rows.len(), limits::TRANSACTIONS_MAX, "elements")?;
        Ok(rows)
    });
    let rows = match rows {
        Ok(rows) => rows,
        Err(misfit) => return vec![unrecognized_transaction(misfit.within("`block_metadata`"), text, None)],
    };
    let read = |raw: &RawValue| -> Result<Entry, Misfit> {
        let row = Object::parse(raw.get())?;
        let body = Allocated { address: row.text("address")?, amount: row.number("balance")? };
        let owner = subject(Role::Owner, &body.address)?;
        Ok(entry(Event::Allocated(body), None, None, vec![owner]))
    };
    let entry_of = |raw: &RawValue| {
        read(raw).unwrap_or_else(|misfit| unrecognized_transaction(misfit.within("allocation"), raw.get(), None))
    };
    rows.into_iter().map(entry_of).collect()
}

fn subject(role: Role, address: &str) -> Result<(Role, Subject), Malformed> {
    Ok((role, Subject::address(&SourceKind::Aitbc.address_rule().canonical(address)?)))
}

/// A transaction row with its hash; rows without one cannot be told apart, so they refuse their block. A hash that no
/// column can hold is its row's trouble alone: the block's hash covers whatever text it is.
struct Identified<'a> {
    row: Object<'a>,
    text: &'a str,
    id: Result<TxId, Misfit>,
    spelled_id: String,
}

fn identified<'a>(rules: &Rules, height: &Height, rows: Vec<&'a RawValue>) -> Result<Vec<Identified<'a>>, Misfit> {
    let mut seen = BTreeSet::new();
    let mut identified = Vec::with_capacity(rows.len());
    for (index, raw) in rows.into_iter().enumerate() {
        let place = |misfit: Misfit| misfit.within(&format!("transaction {index}"));
        let row = Object::parse(raw.get()).map_err(place)?;
        let spelled_id = row.text("tx_hash").map_err(place)?;
        let id = tx_id("tx_hash", &spelled_id);
        if id.is_ok() && !seen.insert(spelled_id.clone()) {
            return Err(place(Misfit::new("its hash is that of an earlier one in the block")));
        }
        let stated_height = row.given("block_height").map_err(place)?;
        if stated_height.is_some_and(|stated| stated.get() != height.to_string()) {
            return Err(place(Misfit::new("it says that it is in another block")));
        }
        let stated_chain = row.optional_text("chain_id").map_err(place)?;
        if stated_chain.is_some() && rules.chain_id.is_some() && stated_chain != rules.chain_id {
            return Err(place(Misfit::new("it is of another chain")));
        }
        identified.push(Identified { row, text: raw.get(), id, spelled_id });
    }
    Ok(identified)
}

fn transaction(block: &BlockApplied, block_hash: &Check, index: u32, row: &Identified<'_>) -> Vec<Entry> {
    let at = match &row.id {
        Ok(id) => Some((id.clone(), index)),
        Err(misfit) => return vec![unrecognized_transaction(misfit.clone(), row.text, None)],
    };
    let read = applied(block, block_hash, row).and_then(|applied| Ok((subjects(&applied)?, applied)));
    match read {
        Err(misfit) => vec![unrecognized_transaction(misfit, row.text, at)],
        Ok((subjects, mut applied)) => {
            let long = take_long_payload(&mut applied, &at);
            let claim = (long.is_none() && applied.tx_type == "receipt_claim").then(|| {
                let data = applied.data.as_deref().unwrap_or_default();
                match receipt_claim(&applied, data) {
                    Ok(claim) => Entry { tx: at.clone(), ..claim },
                    Err(misfit) => unrecognized_payload(misfit, data, at.clone()),
                }
            });
            let checks = applied.checks.clone();
            let mut entries = vec![entry(Event::TransactionApplied(applied), at, Some(&checks), subjects)];
            entries.extend(long.or(claim));
            entries
        }
    }
}

/// The row's own `timestamp`, `id` and `created_at` differ between nodes, so the time is the block's.
fn applied(block: &BlockApplied, block_hash: &Check, row: &Identified<'_>) -> Result<TransactionApplied, Misfit> {
    let amount: Spelled<Amount> = row.row.plain_number("value")?;
    let recipient = row.row.optional_text("recipient")?.filter(|text| !text.is_empty());
    if recipient.is_none() && amount.get().get() > 0 {
        return Err(Misfit::new("nobody receives the amount"));
    }
    let status = row.row.optional_text("status")?;
    let tx_type = row.row.text("type")?.to_lowercase();
    Ok(TransactionApplied {
        amount,
        checks: verify::aitbc::transaction_checks(block_hash),
        data: row.row.given("payload")?.map(|raw| raw.get().to_owned()),
        fee: row.row.plain_number("fee")?,
        memo_digest: None,
        nonce: row.row.optional_number("nonce")?,
        outputs: vec![],
        public_key: None,
        recipient,
        sender: row.row.text("sender")?,
        signature: None,
        stealth_commitments: vec![],
        status: status.map(|text| limits::line("status", text, limits::STATUS_CHARS_MAX)).transpose()?,
        time: block.time.clone(),
        tx_id: row.spelled_id.clone(),
        tx_type: limits::line("type", tx_type, limits::TYPE_CHARS_MAX)?,
        undisclosed: None,
    })
}

fn subjects(tx: &TransactionApplied) -> Result<Vec<(Role, Subject)>, Misfit> {
    let mut subjects = vec![subject(Role::Sender, &tx.sender)?];
    if let Some(recipient) = &tx.recipient {
        subjects.push(subject(Role::Recipient, recipient)?);
    }
    Ok(subjects)
}

/// A claimed receipt is work whose id is the receipt's; who did it and what it earned is in a table that no node shows.
fn receipt_claim(tx: &TransactionApplied, data: &str) -> Result<Entry, Misfit> {
    let id = Object::parse(data)?.text("receipt_id")?;
    if id.is_empty() || id.chars().count() > RECEIPT_ID_MAX || id.chars().any(char::is_control) {
        return Err(Misfit::new("`receipt_id` is not an id of at most 64 characters"));
    }
    let check = Check::unverifiable("what the receipt says is not in the block");
    let checks = Checks::from([("signature".to_owned(), check)]);
    let subjects =
        vec![subject(Role::Miner, &tx.sender)?, (Role::Submission, Subject::named(Namespace::Submission, id.as_str()))];
    let body = WorkSubmitted {
        bytes: None,
        checks: checks.clone(),
        credit: None,
        difficulty: None,
        miner_address: tx.sender.clone(),
        oracle_id: None,
        oracle_signature: None,
        project: None,
        reward: None,
        reward_unit: RewardUnit::BaseUnits,
        sender: tx.sender.clone(),
        submission_id: id,
        submitted_at: None,
        task_id: None,
        validated_at: None,
        work_type: "compute".to_owned(),
    };
    Ok(entry(Event::WorkSubmitted(body), None, Some(&checks), subjects))
}

#[cfg(test)]
mod tests;
