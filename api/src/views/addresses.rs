//! An address: what it holds and whose it is, and what ever happened to it.

use schema::event::{Event, Kind, Output, Role, rfc3339_micros};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::page::Rows;
use crate::view::{At, LOG, Query, Stamped, stamped};
use crate::views::balances::{self, Balance};
use crate::views::checks::verdict_name;
use crate::views::transactions::TransactionOutput;

/// A stamped statement about addresses by name: `before` has the columns and a from list with `n (asked)`, canonical names
/// of chain `$3`; then `a.subject_id` and `a.subject` are what the log knows the address as.
///
/// The exact spelling wins. Another case is taken for the same address only if the log had just one such by then.
macro_rules! stamped_by_address {
    (
        $db:expr, $at:expr, $views:expr, $columns:literal, $before:literal, $after:literal, $order:literal
        $(, $argument:expr)* $(,)?
    ) => {
        $crate::view::stamped!(
            $db,
            $at,
            $views,
            $columns,
            ($before + r#"
            left join lateral (
                select x.subject_id, x.subject
                from (
                    select c.subject_id, c.subject, c.subject = n.asked as exact, count(*) over () as spellings
                    from log.subjects c
                    where lower(c.subject) = lower(n.asked)
                        and c.namespace = 1
                        and c.source_id = $3
                        and (
                            exists (
                                select 1
                                from log.event_subjects es
                                where es.subject_id = c.subject_id
                                    and es.position <= s.position
                            )
                            or exists (
                                select 1
                                from balances_versions bv
                                where bv.source_id = $3
                                    and bv.address_id = c.subject_id
                                    and bv.from_position <= s.position
                            )
                        )
                ) x
                where x.exact or x.spellings = 1
                order by x.exact desc
                limit 1
            ) a on true
            "# + $after),
            $order
            $(, $argument)*
        )
    };
}
pub(crate) use stamped_by_address;

/// An address at a glance.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AddressSummary {
    /// What it holds.
    #[serde(flatten)]
    pub balance: Balance,
    /// Identity that the address belongs to, hex; null when it belongs to none.
    pub identity_id: Option<String>,
    /// Name of that identity.
    pub display_name: Option<String>,
    /// Identities that claim the address, counting or not.
    pub claims: i64,
}

/// The summary of an address.
#[derive(Debug, Clone)]
pub struct OneAddress {
    /// The chain.
    pub source_id: i32,
    /// The address, canonical.
    pub address: String,
    /// Whether to show the events behind the answer.
    pub explain: bool,
}

/// Kinds of events that make the summary of an address what it is.
const CAUSES: &[Kind] = &[
    Kind::TransactionApplied,
    Kind::Allocated,
    Kind::Minted,
    Kind::AccountReported,
    Kind::Staked,
    Kind::Unstaked,
    Kind::WalletLinked,
    Kind::WalletUnlinked,
];

impl Query for OneAddress {
    const VIEWS: &'static [&'static str] = &["balances", "reports", "heads", "identities", "wallets", LOG];
    type Answer = Option<AddressSummary>;

    fn key(&self) -> String {
        format!("address:{}:{}:{}", self.source_id, self.explain, self.address)
    }

    fn views(&self) -> &'static [&'static str] {
        if self.explain {
            &["balances", "reports", "heads", "identities", "wallets", "findings", LOG]
        } else {
            Self::VIEWS
        }
    }

    async fn run(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        let (at, held) =
            balances::read(db, at, self.views(), self.source_id, std::slice::from_ref(&self.address)).await?;
        let Some(held) = held.into_iter().next() else { return Ok(Stamped { at, value: None }) };
        // As of the position just read, so that both statements speak of the same moment.
        let (_, rows) = stamped!(
            db,
            At::Position(schema::event::Position(at.position)),
            Self::VIEWS,
            r#"r.identity_id as "identity_id?", r.display_name as "display_name?", r.claims as "claims?""#,
            r#"
                select o.identity_id, i.display_name, c.claims
                from (
                    select count(*) as claims
                    from (
                        select distinct on (v.source_id, v.identity_id) v.present
                        from wallet_links_versions v
                        where v.address_id = $3
                            and v.from_position <= s.position
                        order by v.source_id, v.identity_id, v.from_position desc
                    ) newest
                    where newest.present
                ) c
                left join lateral (
                    select v.identity_id, v.present
                    from wallet_owners_versions v
                    where v.address_id = $3
                        and v.from_position <= s.position
                    order by v.from_position desc
                    limit 1
                ) o on o.present
                left join lateral (
                    select v.display_name
                    from identities_versions v
                    where v.identity_id = o.identity_id
                        and v.from_position <= s.position
                    order by v.from_position desc
                    limit 1
                ) i on true
            "#,
            "",
            held.subject_id,
        )?;
        let mut summary = AddressSummary { balance: held.balance, identity_id: None, display_name: None, claims: 0 };
        if let Some(row) = rows.into_iter().next() {
            summary.identity_id = row.identity_id.map(hex::encode);
            summary.display_name = row.display_name;
            summary.claims = row.claims.unwrap_or_default();
        }
        if self.explain {
            let of_balance = &summary.balance;
            let found = balances::explained(db, at.position, held.subject_id, of_balance, CAUSES).await?;
            summary.balance.provenance = Some(found);
        }
        Ok(Stamped { at, value: Some(summary) })
    }
}

/// Something that happened to an address.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HistoryItem {
    /// Name of the chain.
    #[schema(example = "chert")]
    pub chain: String,
    /// Position in the log; `/v1/events/{position}` has the whole event.
    pub position: i64,
    /// Kind of the event.
    #[schema(example = "chain.transaction_applied")]
    pub kind: &'static str,
    /// How the address takes part: `sender`, `recipient`, `owner`, `wallet`, `miner` and so on.
    #[schema(example = json!(["sender"]))]
    pub roles: Vec<&'static str>,
    /// Height of the block; null for what no block carried.
    pub block_height: Option<i64>,
    /// Hash of that block, hex.
    pub block_hash: Option<String>,
    /// Time of the block or record, RFC 3339 UTC.
    #[schema(format = DateTime)]
    pub block_time: String,
    /// Transaction that carried it.
    pub tx_id: Option<String>,
    /// Index of that transaction in its block.
    pub tx_index: Option<i32>,
    /// Who pays, when this is a transaction; canonical.
    pub sender: Option<String>,
    /// Who receives, when this is a transaction (the first output, where there are several); canonical.
    pub recipient: Option<String>,
    /// Base units that the event is about, a decimal number; of a transaction without its fee.
    pub amount: Option<String>,
    /// Base units paid besides the amount, when this is a transaction; a decimal number.
    pub fee: Option<String>,
    /// Receivers, when this is a transaction with several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<TransactionOutput>,
    /// Type, when this is a transaction.
    #[serde(rename = "type")]
    pub tx_type: Option<String>,
    /// What the node says of it, when this is a transaction.
    pub status: Option<String>,
    /// Outcome of the checks: `verified`, `refuted` or `unverifiable`; null where nothing is claimed.
    pub verdict: Option<&'static str>,
}

/// The statement of [`AddressHistory`]: `$3` is the chain, `$4` the address, `$5` the position before, `$6` the limit.
macro_rules! history_at {
    ($db:expr, $at:expr, $views:expr $(, $argument:expr)* $(,)?) => {
        stamped_by_address!(
            $db,
            $at,
            $views,
            r#"
            r.chain as "chain?", r.position as "position?", r.kind as "kind?", r.roles as "roles?", r.height as "height?",
            r.block_hash as "block_hash?", r.occurred_at as "occurred_at?", r.tx_id as "tx_id?", r.tx_index as "tx_index?",
            r.sender as "sender?", r.recipient as "recipient?", r.verdict as "verdict?", r.body as "body?"
            "#,
            r#"
                select
                    src.name as chain, h.position, h.kind, h.roles, h.height, h.block_hash, h.occurred_at, h.tx_id, h.tx_index,
                    t.sender, t.recipient, h.verdict, h.body
                from log.sources src
                cross join (select $4::text as asked) n
            "#,
            r#"
                cross join lateral (
                    select
                        e.position, e.kind, array(
                            select o.role
                            from log.event_subjects o
                            where o.subject_id = a.subject_id
                                and o.position = e.position
                            order by o.role
                        ) as roles, e.height, e.block_hash, e.occurred_at, e.tx_id, e.tx_index, e.verdict, e.body
                    from log.event_subjects es
                    -- One look-up per row: a merge would read the log backwards to an old address's only event.
                    cross join lateral (
                        select
                            v.position, v.kind, v.height, v.block_hash, v.occurred_at, v.tx_id, v.tx_index, v.verdict,
                            v.body
                        from log.events v
                        where v.position = es.position
                        offset 0
                    ) e
                    where es.subject_id = a.subject_id
                        and es.position <= s.position
                        and es.position < coalesce($5, 9223372036854775807)
                        -- One row per event; grouping would read the whole history before the first row.
                        and not exists (
                            select 1
                            from log.event_subjects o
                            where o.subject_id = es.subject_id
                                and o.position = es.position
                                and o.role < es.role
                        )
                        and not exists (
                            select 1
                            from log.retractions x
                            where x.source_id = $3
                                and e.height is not null
                                and x.first_position <= e.position
                                and x.at_position > e.position
                                and x.at_position <= s.position
                        )
                    order by es.position desc
                    limit $6::bigint + 1
                ) h
                left join transactions t on t.source_id = $3 and t.position = h.position
                where src.source_id = $3
            "#,
            "order by r.position desc"
            $(, $argument)*
        )
    };
}

/// The standing events about an address, newest first; sort key is the position.
#[derive(Debug, Clone)]
pub struct AddressHistory {
    /// The chain.
    pub source_id: i32,
    /// The address, canonical.
    pub address: String,
    /// Only events before this position.
    pub before: Option<i64>,
    /// Items on a page.
    pub limit: i64,
}

impl Query for AddressHistory {
    /// Every kind of event can be about an address, so only the log itself says when an answer may change.
    const VIEWS: &'static [&'static str] = &[];
    type Answer = Rows<HistoryItem>;

    fn key(&self) -> String {
        format!("history:{}:{:?}:{}:{}", self.source_id, self.before, self.limit, self.address)
    }

    async fn run(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        let (at, rows) = history_at!(db, at, Self::VIEWS, self.source_id, self.address, self.before, self.limit)?;
        let items = rows.into_iter().filter_map(|row| {
            let kind = Kind::from_code(row.kind?)?;
            let said = row.body.as_deref().map(|body| said_in_body(kind, body)).unwrap_or_default();
            Some(HistoryItem {
                chain: row.chain?,
                position: row.position?,
                kind: kind.name(),
                roles: row.roles?.into_iter().filter_map(Role::from_code).map(Role::name).collect(),
                block_height: row.height,
                block_hash: row.block_hash.map(hex::encode),
                block_time: rfc3339_micros(row.occurred_at?),
                tx_id: row.tx_id,
                tx_index: row.tx_index,
                sender: row.sender,
                recipient: row.recipient,
                amount: said.amount,
                fee: said.fee,
                outputs: said.outputs,
                tx_type: said.tx_type,
                status: said.status,
                verdict: verdict_name(row.verdict),
            })
        });
        let page = Rows::page(items.collect(), self.limit, |item: &HistoryItem| item.position.to_string());
        Ok(Stamped { at, value: page })
    }
}

/// What a history shows out of the bodies of events that move or report money.
#[derive(Debug, Default)]
struct Said {
    amount: Option<String>,
    fee: Option<String>,
    outputs: Vec<TransactionOutput>,
    tx_type: Option<String>,
    status: Option<String>,
}

fn said_in_body(kind: Kind, body: &[u8]) -> Said {
    let Ok(event) = Event::parse(kind, body) else { return Said::default() };
    let amount = if let Event::TransactionApplied(tx) = event {
        let output =
            |output: Output| TransactionOutput { recipient: output.recipient, amount: output.amount.get().to_string() };
        return Said {
            amount: Some(tx.amount.get().to_string()),
            fee: Some(tx.fee.get().to_string()),
            outputs: tx.outputs.into_iter().map(output).collect(),
            tx_type: Some(tx.tx_type),
            status: tx.status,
        };
    } else if let Event::Allocated(allocated) = event {
        allocated.amount
    } else if let Event::Minted(minted) = event {
        minted.amount
    } else if let Event::AccountReported(reported) = event {
        reported.balance
    } else if let Event::Staked(staked) = event {
        staked.amount
    } else if let Event::Unstaked(unstaked) = event {
        unstaked.amount
    } else {
        return Said::default();
    };
    Said { amount: Some(amount.get().to_string()), ..Said::default() }
}
