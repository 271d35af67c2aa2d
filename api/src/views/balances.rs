//! What addresses hold: derived from standing blocks, and beside it what nodes report where that may differ.

use schema::event::{Kind, Namespace, rfc3339_micros};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::page::Rows;
use crate::view::{At, LOG, Query, Stamp, Stamped};
use crate::views::addresses::stamped_by_address;
use crate::views::provenance::{self, Provenance};

/// Kinds of events that make a balance what it is.
const CAUSES: &[Kind] =
    &[Kind::TransactionApplied, Kind::Allocated, Kind::Minted, Kind::AccountReported, Kind::Staked, Kind::Unstaked];

/// What one address of one chain holds, in base units.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Balance {
    /// Name of the chain.
    #[schema(example = "chert")]
    pub chain: String,
    /// The address in canonical form.
    #[schema(example = "0x5b38da6a701c568545dcfcb03fcb875f56beddc4")]
    pub address: String,
    /// Derived balance: `minted` + `received` − `sent` − `fees_paid`; a decimal number, never rounded.
    #[schema(example = "61000000000")]
    pub balance: String,
    /// Received by transfers and fees; a decimal number.
    pub received: String,
    /// Sent by transfers, without fees; a decimal number.
    pub sent: String,
    /// Paid as fees; a decimal number.
    pub fees_paid: String,
    /// Allocated at genesis or minted to the address; a decimal number.
    pub minted: String,
    /// Staked, and still part of the balance; a decimal number.
    pub staked: String,
    /// Highest counter used as a sender; a decimal number.
    pub nonce: Option<String>,
    /// Standing transactions that the address sent or received.
    pub tx_count: i64,
    /// Height of the first standing block that touched the address.
    pub first_height: Option<i64>,
    /// Height of the newest standing block that touched the address.
    pub last_height: Option<i64>,
    /// Whether any standing event names the address; if not, everything is zero.
    pub seen: bool,
    /// False when the chain was not followed from genesis, or a transaction on it could not be understood.
    pub complete: bool,
    /// What a node said the address holds; only on chains whose balances also change outside blocks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reported_balance: Option<String>,
    /// When the node was asked, RFC 3339 UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub reported_at: Option<String>,
    /// The node's head before and after it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reported_heights: Option<ReportedHeights>,
    /// Derived minus reported balance; a decimal number, may be negative.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<String>,
    /// The events behind the answer; only with `explain=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
}

/// Between which heights of the node a report was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReportedHeights {
    /// The node's head before it was asked.
    pub before: i64,
    /// The node's head after it had answered.
    pub after: i64,
}

/// What an address that no standing block names holds.
fn zero() -> String {
    "0".to_owned()
}

/// A balance and the number of its address in the log.
#[derive(Debug)]
pub(crate) struct Held {
    /// Number of the address in `log.subjects`; none when the log has not named it by then.
    pub subject_id: Option<i64>,
    /// The balance.
    pub balance: Balance,
}

/// The statement of [`read`]: `$3` is the chain, `$4` the addresses.
macro_rules! balances_at {
    ($db:expr, $at:expr, $views:expr $(, $argument:expr)* $(,)?) => {
        stamped_by_address!(
            $db,
            $at,
            $views,
            r#"
            r.chain as "chain?", r.asked as "asked?", r.subject_id as "subject_id?", r.subject as "subject?",
            r.seen as "seen?", r.balance as "balance?", r.received as "received?", r.sent as "sent?", r.fees_paid as "fees_paid?",
            r.minted as "minted?", r.staked as "staked?", r.nonce as "nonce?", r.tx_count as "tx_count?",
            r.first_height as "first_height?", r.last_height as "last_height?", r.complete as "complete?",
            r.reported_balance as "reported_balance?", r.reported_at as "reported_at?", r.height_before as "height_before?",
            r.height_after as "height_after?", r.difference as "difference?"
            "#,
            r#"
                select
                    src.name as chain, n.asked, n.ordinal, a.subject_id, a.subject, b.balance::text as balance,
                    b.received::text as received, b.sent::text as sent, b.fees_paid::text as fees_paid, b.minted::text as minted,
                    b.staked::text as staked, b.nonce::text as nonce, b.tx_count, b.first_height, b.last_height, h.complete,
                    o.reported_balance::text as reported_balance, o.reported_at, o.height_before, o.height_after,
                    (coalesce(b.balance, 0) - o.reported_balance)::text as difference, exists (
                        select 1
                        from log.event_subjects es
                        cross join lateral (
                            select v.position, v.height
                            from log.events v
                            where v.position = es.position
                            offset 0
                        ) e
                        where es.subject_id = a.subject_id
                            and es.position <= s.position
                            and not exists (
                                select 1
                                from log.retractions x
                                where x.source_id = $3
                                    and e.height is not null
                                    and x.first_position <= e.position
                                    and x.at_position > e.position
                                    and x.at_position <= s.position
                            )
                    ) as seen
                from log.sources src
                cross join unnest($4::text[]) with ordinality n (asked, ordinal)
                left join lateral (
                    select v.complete
                    from heads_versions v
                    where v.source_id = $3
                        and v.from_position <= s.position
                    order by v.from_position desc
                    limit 1
                ) h on true
    "#,
            r#"
                left join lateral (
                    select
                        v.balance, v.received, v.sent, v.fees_paid, v.minted, v.staked, v.nonce, v.tx_count, v.first_height,
                        v.last_height, v.present
                    from balances_versions v
                    where v.source_id = $3
                        and v.address_id = a.subject_id
                        and v.from_position <= s.position
                    order by v.from_position desc
                    limit 1
                ) b on b.present
                left join lateral (
                    select v.reported_balance, v.reported_at, v.height_before, v.height_after, v.present
                    from reported_balances_versions v
                    where src.off_block_state
                        and v.source_id = $3
                        and v.address_id = a.subject_id
                        and v.from_position <= s.position
                    order by v.from_position desc
                    limit 1
                ) o on o.present
                where src.source_id = $3
            "#,
            "order by r.ordinal"
            $(, $argument)*
        )
    };
}

/// Reads the balances of some canonical addresses of a chain, in the order asked.
///
/// An address that the log knows in another case, and in one other case only, is that address.
pub(crate) async fn read(
    db: &mut PgConnection,
    at: At,
    views: &[&str],
    source_id: i32,
    addresses: &[String],
) -> sqlx::Result<(Stamp, Vec<Held>)> {
    let (at, rows) = balances_at!(db, at, views, source_id, addresses)?;
    let held = rows.into_iter().filter_map(|row| {
        let reported_heights = match (row.height_before, row.height_after) {
            (Some(before), Some(after)) => Some(ReportedHeights { before, after }),
            (Some(_), None) | (None, _) => None,
        };
        let balance = Balance {
            chain: row.chain?,
            address: row.subject.or(row.asked)?,
            balance: row.balance.unwrap_or_else(zero),
            received: row.received.unwrap_or_else(zero),
            sent: row.sent.unwrap_or_else(zero),
            fees_paid: row.fees_paid.unwrap_or_else(zero),
            minted: row.minted.unwrap_or_else(zero),
            staked: row.staked.unwrap_or_else(zero),
            nonce: row.nonce,
            tx_count: row.tx_count.unwrap_or_default(),
            first_height: row.first_height,
            last_height: row.last_height,
            seen: row.seen.unwrap_or_default(),
            complete: row.complete.unwrap_or_default(),
            reported_balance: row.reported_balance,
            reported_at: row.reported_at.map(rfc3339_micros),
            reported_heights,
            difference: row.difference,
            provenance: None,
        };
        Some(Held { subject_id: row.subject_id, balance })
    });
    Ok((at, held.collect()))
}

/// The balances of up to 100 addresses of a chain, in the order asked, repetitions included.
#[derive(Debug, Clone)]
pub struct Balances {
    /// The chain.
    pub source_id: i32,
    /// Addresses, canonical.
    pub addresses: Vec<String>,
}

impl Query for Balances {
    /// The log too: it says under which spellings an address is known, and whether anything names it.
    const VIEWS: &'static [&'static str] = &["balances", "reports", "heads", LOG];
    type Answer = Rows<Balance>;

    fn key(&self) -> String {
        // An address may hold any character but control characters.
        format!("balances:{}:{}", self.source_id, self.addresses.join("\n"))
    }

    async fn run(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        let (at, held) = read(db, at, Self::VIEWS, self.source_id, &self.addresses).await?;
        let items = held.into_iter().map(|held| held.balance).collect();
        Ok(Stamped { at, value: Rows { items, next: None, count: None } })
    }
}

/// The balance of one address.
#[derive(Debug, Clone)]
pub struct OneBalance {
    /// The chain.
    pub source_id: i32,
    /// The address, canonical.
    pub address: String,
    /// Whether to show the events behind the answer.
    pub explain: bool,
}

impl Query for OneBalance {
    const VIEWS: &'static [&'static str] = Balances::VIEWS;
    type Answer = Option<Balance>;

    fn key(&self) -> String {
        format!("balance:{}:{}:{}", self.source_id, self.explain, self.address)
    }

    fn views(&self) -> &'static [&'static str] {
        if self.explain { &["balances", "reports", "heads", "findings", LOG] } else { Self::VIEWS }
    }

    async fn run(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        let (at, held) = read(db, at, self.views(), self.source_id, std::slice::from_ref(&self.address)).await?;
        let Some(Held { subject_id, mut balance }) = held.into_iter().next() else {
            return Ok(Stamped { at, value: None });
        };
        if self.explain {
            balance.provenance = Some(explained(db, at.position, subject_id, &balance, CAUSES).await?);
        }
        Ok(Stamped { at, value: Some(balance) })
    }
}

/// The events of some kinds about the address of a balance, as of the position at which it was read.
pub(crate) async fn explained(
    db: &mut PgConnection,
    at: i64,
    subject_id: Option<i64>,
    balance: &Balance,
    kinds: &[Kind],
) -> sqlx::Result<Provenance> {
    let link = provenance::events_link(Namespace::Address, &balance.address, Some(&balance.chain));
    match subject_id {
        Some(subject_id) => provenance::of_address(db, at, subject_id, kinds, link).await,
        None => Ok(Provenance::nothing(link)),
    }
}
