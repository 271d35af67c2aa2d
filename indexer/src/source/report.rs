//! What a node says that an address holds, as a unit of its own.

use chrono::{DateTime, Utc};
use schema::chain::{Address, Amount, Height, Malformed, Spelled};
use schema::event::{AccountReported, Entry, Event, Role, Subject, Unit};

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
