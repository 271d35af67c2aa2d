//! Faults on demand: what a misbehaving node does, and for how many requests.
//!
//! It must not know routes or methods.

use std::sync::Mutex;

use serde::{Deserialize, Serialize};

/// A fault, until it is taken back or has been shown often enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What goes wrong.
    #[serde(flatten)]
    pub kind: FaultKind,
    /// The fault clears itself after it was visible in so many answers; absent: it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<u64>,
}

/// What goes wrong. Faults of the transport and a lower head show in every answer of the node; faults of content only in
/// answers that hold the block in question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaultKind {
    /// Answers come late.
    Slow {
        /// By so many milliseconds.
        delay_ms: u64,
    },
    /// Answers are HTTP errors.
    HttpError {
        /// The status, 500 to 599.
        status: u16,
    },
    /// Answers are cut in the middle.
    Truncated {
        /// True: the connection breaks; false: HTTP is in order and the JSON is half.
        #[serde(default)]
        abort: bool,
    },
    /// Answers are 429.
    RateLimit {
        /// The value of `Retry-After`, in seconds.
        retry_after_s: u64,
    },
    /// The node pretends that its head is lower.
    LowerHead {
        /// By so many blocks.
        by: u64,
    },
    /// A block names another parent than it has.
    WrongParent {
        /// Its height; absent: the highest block of each answer.
        #[serde(default)]
        height: Option<u64>,
    },
    /// A block is not what a block must be.
    MalformedBlock {
        /// Its height; absent: the highest block of each answer.
        #[serde(default)]
        height: Option<u64>,
        /// In what way.
        defect: BlockDefect,
    },
    /// The first transaction of a well-formed block is not what a transaction must be.
    WrongTransaction {
        /// The block's height; absent: the highest block of each answer.
        #[serde(default)]
        height: Option<u64>,
        /// In what way.
        defect: TransactionDefect,
    },
}

/// How a block is malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockDefect {
    /// It has no `timestamp`.
    MissingField,
    /// Its `block_number` is a string.
    StringHeight,
    /// Its `block_hash` is null.
    NullHash,
}

/// How a transaction is malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransactionDefect {
    /// It has no `sender`.
    NoSender,
    /// Its `amount` is 2^64.
    AmountTooLarge,
}

impl FaultKind {
    /// The block this fault spoils: `None` for other faults, `Some(None)` for the highest of each answer.
    pub(super) fn spoils(&self) -> Option<Option<u64>> {
        match self {
            Self::WrongParent { height }
            | Self::MalformedBlock { height, .. }
            | Self::WrongTransaction { height, .. } => Some(*height),
            Self::Slow { .. }
            | Self::HttpError { .. }
            | Self::Truncated { .. }
            | Self::RateLimit { .. }
            | Self::LowerHead { .. } => None,
        }
    }

    /// A block's text with this fault in it; `None` when the text has nothing that it could spoil. Member order in our
    /// blocks is fixed, so the first occurrence is the right one.
    pub(super) fn spoil(&self, block: &str) -> Option<String> {
        match self {
            Self::WrongParent { .. } => {
                let (before, hash, after) = member(block, r#""previous_block_hash":"#)?;
                let other =
                    if hash.contains("\"0") { hash.replacen("\"0", "\"f", 1) } else { format!("\"0{}", &hash[2..]) };
                Some(format!("{before}{other}{after}"))
            }
            Self::MalformedBlock { defect: BlockDefect::MissingField, .. } => {
                let (before, _, after) = member(block, r#""timestamp":"#)?;
                let before = before.strip_suffix(r#""timestamp":"#)?;
                Some(format!("{before}{}", after.strip_prefix(',')?))
            }
            Self::MalformedBlock { defect: BlockDefect::StringHeight, .. } => {
                let (before, height, after) = member(block, r#""block_number":"#)?;
                Some(format!("{before}\"{height}\"{after}"))
            }
            Self::MalformedBlock { defect: BlockDefect::NullHash, .. } => {
                let (before, _, after) = member(block, r#""block_hash":"#)?;
                Some(format!("{before}null{after}"))
            }
            Self::WrongTransaction { defect: TransactionDefect::NoSender, .. } => {
                let (before, _, after) = member(block, r#""sender":"#)?;
                let before = before.strip_suffix(r#""sender":"#)?;
                Some(format!("{before}{}", after.strip_prefix(',')?))
            }
            Self::WrongTransaction { defect: TransactionDefect::AmountTooLarge, .. } => {
                let (before, _, after) = member(block, r#""amount":"#)?;
                Some(format!("{before}18446744073709551616{after}"))
            }
            Self::Slow { .. }
            | Self::HttpError { .. }
            | Self::Truncated { .. }
            | Self::RateLimit { .. }
            | Self::LowerHead { .. } => None,
        }
    }
}

/// The text up to a member's value, the value, and the rest. The values concerned hold neither commas nor braces.
fn member<'a>(text: &'a str, name: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let start = text.find(name)? + name.len();
    let end = start + text[start..].find([',', '}'])?;
    Some((&text[..start], &text[start..end], &text[end..]))
}

/// The fault that is armed now, if any.
#[derive(Debug, Default)]
pub(super) struct Gate(Mutex<Option<Fault>>);

impl Gate {
    /// Arms a fault, or none.
    pub fn set(&self, fault: Option<Fault>) {
        *self.0.lock().expect("no holder of this lock panics") = fault.filter(|fault| fault.requests != Some(0));
    }

    /// The armed fault.
    pub fn get(&self) -> Option<Fault> {
        self.0.lock().expect("no holder of this lock panics").clone()
    }

    /// Notes that a fault was visible in an answer. One that was replaced meanwhile is left alone.
    pub fn shown(&self, kind: &FaultKind) {
        let mut armed = self.0.lock().expect("no holder of this lock panics");
        let Some(fault) = armed.as_mut().filter(|fault| fault.kind == *kind) else { return };
        match &mut fault.requests {
            None => {}
            Some(left) if *left > 1 => *left -= 1,
            Some(_) => *armed = None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &str = concat!(
        r#"{"block_number":5,"block_hash":"aa","previous_block_hash":"0b","timestamp":"t","validator_address":"v","#,
        r#""transactions":[{"tx_id":"i","sender":"s","recipient":"r","amount":7,"fee":1}]}"#
    );

    #[test]
    fn each_content_fault_spoils_what_it_says() {
        let spoilt = |kind: FaultKind| kind.spoil(BLOCK).expect("the block has what is spoilt");
        let malformed = |defect| spoilt(FaultKind::MalformedBlock { height: None, defect });
        let wrong = |defect| spoilt(FaultKind::WrongTransaction { height: None, defect });
        assert!(spoilt(FaultKind::WrongParent { height: None }).contains(r#""previous_block_hash":"fb""#));
        assert!(!malformed(BlockDefect::MissingField).contains("timestamp"));
        assert!(malformed(BlockDefect::StringHeight).starts_with(r#"{"block_number":"5","#));
        assert!(malformed(BlockDefect::NullHash).contains(r#""block_hash":null"#));
        assert!(wrong(TransactionDefect::NoSender).contains(r#"{"tx_id":"i","recipient":"r""#));
        assert!(wrong(TransactionDefect::AmountTooLarge).contains(r#""amount":18446744073709551616,"fee""#));
    }
}
