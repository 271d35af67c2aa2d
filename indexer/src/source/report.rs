//! What a node says that an address holds, as a unit of its own.

use chrono::{DateTime, Utc};
use schema::chain::{Address, Amount, Height, Malformed, Spelled};
use schema::event::{AccountReported, Entry, Event, Role, Subject, Unit};

use crate::decode::Misfit;
use crate::decode::json::Object;

/// A node's answer about an address, between two looks at its head.
pub(super) struct Report<'a> {
    pub(super) address: &'a Address,
    pub(super) balance: Spelled<Amount>,
    pub(super) nonce: Option<Spelled<Amount>>,
    pub(super) height_before: Height,
    pub(super) height_after: Height,
    /// Time of the block that was the head.
    pub(super) occurred_at: DateTime<Utc>,
}

/// Reads `{balance, nonce?}`, given between the heads `(before, after)`. An answer that says what no balance can be is
/// no report, and never an error: one account's trouble must not stall its source.
pub(super) fn read(
    answer: &str,
    address: &Address,
    (height_before, height_after): (Height, Height),
    occurred_at: DateTime<Utc>,
) -> Option<Unit> {
    let read = || -> Result<Unit, Misfit> {
        let answer = Object::parse(answer)?;
        let (balance, nonce) = (answer.number("balance")?, answer.optional_number("nonce")?);
        Ok(Report { address, balance, nonce, height_before, height_after, occurred_at }.unit()?)
    };
    read().inspect_err(|misfit| tracing::debug!(%address, %misfit, "the node's report was left out")).ok()
}

impl Report<'_> {
    /// The unit of one `account.reported`.
    pub(super) fn unit(self) -> Result<Unit, Malformed> {
        let body = AccountReported {
            address: self.address.as_str().to_owned(),
            balance: self.balance,
            height_before: Spelled::parse(self.height_before.to_string())?,
            height_after: Spelled::parse(self.height_after.to_string())?,
            nonce: self.nonce,
        };
        let entry = Entry {
            event: Event::AccountReported(body),
            tx: None,
            verdict: None,
            subjects: vec![(Role::Reported, Subject::address(self.address))],
        };
        Ok(Unit { block: None, occurred_at: self.occurred_at, entries: vec![entry] })
    }
}
