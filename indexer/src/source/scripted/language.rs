//! The words of a chain script.
//!
//! | step | means |
//! |---|---|
//! | `3: a, b` | a block at height 3 with the actions a and b; `3:` is an empty block, `3': …` another block of the same content |
//! | `~1` | back to height 1 |
//!
//! | action | means |
//! |---|---|
//! | `allocate alice 64` | money that alice has from the beginning; block 0 only |
//! | `mint alice 64` | money that the chain makes for alice |
//! | `alice -> bob 2` | a transfer |
//! | `burn alice 2` | the same as `alice -> furnace 2` |
//! | `alice !social.follow {…}` | a payload of this kind with these fields |
//! | `alice !{…}` | a payload as it stands |
//! | `@3600` | no action: this block and those on top of it are 3600 seconds later; `@-60` is a minute earlier |
//!
//! Every action but `allocate` and `mint` may end with `fee 1`. Without `@` a block is ten seconds after its parent.

use schema::chain::{Amount, Height};

/// Why a text is not a chain script.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("in \"{at}\": {why}")]
pub struct ScriptError {
    /// The step or action.
    pub at: String,
    /// What is wrong with it.
    pub why: String,
}

impl ScriptError {
    pub(super) fn new(at: &str, why: impl Into<String>) -> Self {
        Self { at: at.to_owned(), why: why.into() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    /// The number of primes tells blocks of equal content apart.
    Block {
        height: Height,
        primes: usize,
        seconds_later: i64,
        actions: Vec<Action>,
    },
    Reorg {
        to: Height,
    },
}

/// A transaction as written, with its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Action {
    pub(super) text: String,
    pub(super) sender: String,
    pub(super) deed: Deed,
    pub(super) fee: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Deed {
    Allocate { to: String, amount: u64 },
    Mint { to: String, amount: u64 },
    Transfer { to: String, amount: u64 },
    Say { payload: String },
}

pub(super) fn parse(text: &str) -> Result<Vec<Line>, ScriptError> {
    split(text, '|').into_iter().filter(|step| !step.is_empty()).map(line).collect()
}

fn line(step: &str) -> Result<Line, ScriptError> {
    if let Some(height) = step.strip_prefix('~') {
        return Ok(Line::Reorg { to: number(step, height)? });
    }
    let (label, actions) = step.split_once(':').ok_or_else(|| ScriptError::new(step, "neither a block nor a fork"))?;
    let height = label.trim().trim_end_matches('\'');
    let primes = label.trim().len() - height.len();
    let (mut seconds_later, mut said) = (0_i64, Vec::new());
    for text in split(actions, ',').into_iter().filter(|text| !text.is_empty()) {
        match text.strip_prefix('@') {
            Some(shift) => seconds_later = shifted(seconds_later, text, shift)?,
            None => said.push(action(text)?),
        }
    }
    Ok(Line::Block { height: number(step, height)?, primes, seconds_later, actions: said })
}

fn shifted(seconds: i64, text: &str, shift: &str) -> Result<i64, ScriptError> {
    let more = shift.trim().parse::<i64>().map_err(|bad| ScriptError::new(text, bad.to_string()))?;
    seconds.checked_add(more).ok_or_else(|| ScriptError::new(text, "too late"))
}

fn action(text: &str) -> Result<Action, ScriptError> {
    let (head, payload) = match text.split_once('!') {
        Some((head, payload)) => (head.trim(), Some(payload.trim())),
        None => (text, None),
    };
    if let Some(payload) = payload {
        let end = payload.rfind('}').ok_or_else(|| ScriptError::new(text, "a payload is a JSON object"))?;
        let (payload, rest) = payload.split_at(end + 1);
        let rest: Vec<&str> = rest.split_whitespace().collect();
        let deed = Deed::Say { payload: whole_payload(text, payload)? };
        return Ok(Action { text: text.to_owned(), sender: name(text, head)?, deed, fee: fee(text, &rest)? });
    }
    let words: Vec<&str> = head.split_whitespace().collect();
    let (sender, deed, rest) = match words.as_slice() {
        ["allocate", to, amount] => {
            ("origin", Deed::Allocate { to: name(text, to)?, amount: amount_of(text, amount)? }, [].as_slice())
        }
        ["mint", to, amount] => {
            ("origin", Deed::Mint { to: name(text, to)?, amount: amount_of(text, amount)? }, [].as_slice())
        }
        ["burn", from, amount, rest @ ..] => {
            (*from, Deed::Transfer { to: "furnace".to_owned(), amount: amount_of(text, amount)? }, rest)
        }
        [from, "->", to, amount, rest @ ..] => {
            (*from, Deed::Transfer { to: name(text, to)?, amount: amount_of(text, amount)? }, rest)
        }
        _ => return Err(ScriptError::new(text, "not an action")),
    };
    Ok(Action { text: text.to_owned(), sender: name(text, sender)?, deed, fee: fee(text, rest)? })
}

/// A payload with its kind in front becomes a whole one.
fn whole_payload(action: &str, payload: &str) -> Result<String, ScriptError> {
    let open = payload.find('{').ok_or_else(|| ScriptError::new(action, "a payload is a JSON object"))?;
    let (kind, object) = payload.split_at(open);
    let kind = kind.trim();
    if kind.is_empty() {
        return Ok(object.to_owned());
    }
    let fields = object.strip_prefix('{').unwrap_or(object).trim_start();
    let comma = if fields.starts_with('}') { "" } else { "," };
    Ok(format!("{{\"v\":1,\"kind\":\"{kind}\"{comma}{fields}"))
}

fn fee(action: &str, words: &[&str]) -> Result<u64, ScriptError> {
    match words {
        [] => Ok(0),
        ["fee", amount] => amount_of(action, amount),
        _ => Err(ScriptError::new(action, "only a fee may follow")),
    }
}

fn name(action: &str, text: &str) -> Result<String, ScriptError> {
    let is_name = !text.is_empty() && !text.contains(char::is_whitespace);
    if is_name { Ok(text.to_owned()) } else { Err(ScriptError::new(action, "an account is one word")) }
}

fn amount_of(action: &str, text: &str) -> Result<u64, ScriptError> {
    let amount: Amount = text.parse().map_err(|bad| ScriptError::new(action, format!("{bad}")))?;
    Ok(amount.get())
}

fn number(step: &str, text: &str) -> Result<Height, ScriptError> {
    text.trim().parse().map_err(|bad| ScriptError::new(step, format!("{bad}")))
}

/// The parts between separators that stand outside of payloads, trimmed.
fn split(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut depth, mut in_string, mut is_escaped) = (0, 0_u32, false, false);
    for (at, char) in text.char_indices() {
        let was_escaped = std::mem::take(&mut is_escaped);
        match char {
            '"' if depth > 0 && !was_escaped => in_string = !in_string,
            '\\' if in_string && !was_escaped => is_escaped = true,
            '{' | '[' if !in_string => depth += 1,
            '}' | ']' if !in_string => depth = depth.saturating_sub(1),
            _ if char == separator && depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + char.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}
