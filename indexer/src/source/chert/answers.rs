//! The shapes of a Chert node's answers, and which heights of a range are still to be asked for.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use jsonrpsee::core::params::ObjectParams;
use schema::chain::{Height, Malformed, strip_0x};
use serde::Serialize;
use serde_json::value::RawValue;

use super::Health;
use crate::decode::json::{self, Object};
use crate::decode::limits;
use crate::source::SourceError;

/// Named parameters of a call.
pub(super) struct Params(ObjectParams);

impl Params {
    pub(super) fn new() -> Self {
        Self(ObjectParams::new())
    }

    pub(super) fn with(mut self, name: &str, value: impl Serialize) -> Result<Self, SourceError> {
        let written = self.0.insert(name, value);
        written.map_err(|error| SourceError::Unsuitable(format!("`{name}` cannot be asked for: {error}")))?;
        Ok(self)
    }
}

impl From<Params> for ObjectParams {
    fn from(params: Params) -> Self {
        params.0
    }
}

/// Characters of a chain id or of a rule's name.
const WORD_MAX: usize = 128;

/// What `/health` says; none when it is not an object. Members of an unexpected form count as absent.
pub(super) fn health(body: &str) -> Result<Option<Health>, SourceError> {
    let Ok(health) = Object::parse(body) else { return Ok(None) };
    let word = |name: &str| {
        let Some(raw) = health.given(name).ok().flatten() else { return Ok(None) };
        let number = || raw.get().bytes().all(|b| b.is_ascii_digit()).then(|| raw.get().to_owned());
        let text = json::text(name, raw).ok().or_else(number);
        text.map(|text| limits::line(name, text, WORD_MAX)).transpose()
    };
    let consensus = health.given("consensus_status").ok().flatten().and_then(|raw| Object::parse(raw.get()).ok());
    let number = |name: &str| consensus.as_ref()?.given(name).ok()??.get().parse::<u64>().ok();
    Ok(Some(Health {
        chain_id: word("chain_id")?,
        hash_rule: word("hash_rule")?,
        current_height: number("current_height").and_then(|height| Height::try_from(height).ok()),
        dag_tip_commit_index: number("dag_tip_commit_index"),
        finalized_commit_index: number("finalized_commit_index"),
        dag_finality_gap: number("dag_finality_gap"),
    }))
}

/// `eth_blockNumber`: `{block_number}` or bare, a number or a text, decimal or `0x` hex.
pub(super) fn newest_height(answer: &RawValue) -> Result<Height, SourceError> {
    let raw = if answer.get().starts_with('{') { Object::parse(answer.get())?.need("block_number")? } else { answer };
    let text = if raw.get().starts_with('"') { json::text("block_number", raw)? } else { raw.get().to_owned() };
    let bad = |why: Malformed| SourceError::Malformed(format!("`block_number`: {why}"));
    if strip_0x(&text) == text {
        return text.parse().map_err(bad);
    }
    let value = u64::from_str_radix(strip_0x(&text), 16)
        .map_err(|_| SourceError::Malformed("`block_number` is not a height".to_owned()))?;
    Height::try_from(value).map_err(bad)
}

/// The raw blocks of a page.
pub(super) fn blocks(answer: &RawValue) -> Result<Vec<&str>, SourceError> {
    let blocks = json::array("blocks", Object::parse(answer.get())?.need("blocks")?)?;
    Ok(blocks.into_iter().map(RawValue::get).collect())
}

/// One block: bare, as `{block}`, or as the only one in `{blocks}`; none for `null` or an empty answer.
pub(super) fn one_block(answer: &RawValue) -> Result<Option<&str>, SourceError> {
    if json::is_null(answer) {
        return Ok(None);
    }
    let object = Object::parse(answer.get())?;
    if object.given("block_hash")?.is_some() {
        return Ok(Some(answer.get()));
    }
    if let Some(block) = object.given("block")? {
        return Ok(Some(block.get()));
    }
    match object.optional_array("blocks")?.as_deref() {
        Some([block]) => Ok(Some(block.get())),
        Some([]) | None => Ok(None),
        Some([_, _, ..]) => Err(SourceError::Malformed("several blocks where one was asked for".to_owned())),
    }
}

/// Number of heights in a range, as far as it can be asked for at once.
pub(super) fn length(range: &RangeInclusive<Height>) -> u32 {
    let count = range.end().to_db().saturating_sub(range.start().to_db()).saturating_add(1);
    u32::try_from(count.max(0)).unwrap_or(u32::MAX)
}

/// The heights of a range that have been had so far. Pages come newest first, so it fills from the top.
pub(super) struct Windows<T> {
    range: RangeInclusive<Height>,
    had: BTreeMap<Height, T>,
}

impl<T> Windows<T> {
    pub(super) fn new(range: RangeInclusive<Height>) -> Self {
        Self { range, had: BTreeMap::new() }
    }

    /// The highest height that is missing, and how many there are from it down to the next one that is not.
    pub(super) fn missing(&self) -> Option<(Height, u32)> {
        let mut top = *self.range.end();
        if self.range.is_empty() {
            return None;
        }
        for height in self.had.keys().rev() {
            if *height != top {
                break;
            }
            top = top.previous().filter(|top| self.range.contains(top))?;
        }
        let below = self.had.range(..top).next_back().and_then(|(height, _)| height.next());
        Some((top, length(&(below.unwrap_or(*self.range.start())..=top))))
    }

    /// Takes a block if it is one of the range; the first of a height counts.
    pub(super) fn add(&mut self, height: Height, value: T) {
        if self.range.contains(&height) {
            self.had.entry(height).or_insert(value);
        }
    }

    pub(super) fn has(&self, height: Height) -> bool {
        self.had.contains_key(&height)
    }

    /// Whether no block has been had yet.
    pub(super) fn is_untouched(&self) -> bool {
        self.had.is_empty()
    }

    /// Leaves the heights above this one out of the range.
    pub(super) fn end_at(&mut self, height: Height) {
        self.range = *self.range.start()..=height;
    }

    /// The node does not have this height, so its tip is lower: the range ends at the highest that it did have. A node
    /// with a higher one has a hole.
    pub(super) fn give_up(&mut self, height: Height) -> Result<(), SourceError> {
        if self.had.keys().next_back().is_some_and(|highest| *highest > height) {
            return Err(SourceError::Malformed(format!("the node has blocks above {height}, but not that one")));
        }
        self.range = match self.had.keys().next_back() {
            Some(highest) => *self.range.start()..=*highest,
            None => Height::GENESIS.saturating_add(1)..=Height::GENESIS,
        };
        Ok(())
    }

    pub(super) fn into_values(self) -> Vec<T> {
        self.had.into_values().collect()
    }
}

#[cfg(test)]
mod tests;
