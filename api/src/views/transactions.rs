//! Transactions: the newest of a chain, those of one block, or one by its id.

use schema::event::{Event, Kind, TransactionApplied, rfc3339_micros};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::page::Rows;
use crate::view::{At, Query, Stamped, stamped};
use crate::views::checks::{CheckResult, CheckResults, results, verdict_name};
use crate::views::provenance::{self, Provenance};

/// Status of a transaction whose block was taken back, in place of what the node said.
const RETRACTED: &str = "retracted";

/// A transaction, as lists show it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Transaction {
    /// Name of the chain.
    #[schema(example = "chert")]
    pub chain: String,
    /// Id or hash: a lower-case UUID with dashes, or lower-case hex.
    #[schema(example = "67e55044-10b1-426f-9247-bb680e5fe0c8")]
    pub tx_id: String,
    /// Height of its block.
    #[schema(example = 1204)]
    pub block_height: i64,
    /// Hash of its block, hex.
    pub block_hash: String,
    /// Time of its block, RFC 3339 UTC.
    #[schema(format = DateTime, example = "2026-01-18T21:02:05.408028Z")]
    pub block_time: String,
    /// Index in the block, from 0.
    pub tx_index: i32,
    /// Who pays; the address in canonical form.
    pub sender: String,
    /// Who receives (the first output, where there are several); canonical.
    pub recipient: Option<String>,
    /// Base units that leave the sender besides the fee; a decimal number.
    #[schema(example = "2500000000")]
    pub amount: String,
    /// Base units paid besides the amount; a decimal number.
    #[schema(example = "1000")]
    pub fee: String,
    /// The sender's counter; a decimal number.
    pub nonce: Option<String>,
    /// `transfer`, the payload's kind, or the chain's own type.
    #[serde(rename = "type")]
    #[schema(example = "transfer")]
    pub tx_type: String,
    /// What the node says (`confirmed` and the like), or `retracted` when a reorganisation has taken the block back.
    #[schema(example = "confirmed")]
    pub status: Option<String>,
    /// Whether its block is finalized.
    pub finalized: bool,
    /// Outcome of the signature check: `verified`, `refuted` or `unverifiable`; null where no signature is claimed.
    #[schema(example = "verified")]
    pub verdict: Option<&'static str>,
    /// Position of the transaction in the log.
    pub position: i64,
}

/// One of several receivers of a transaction.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TransactionOutput {
    /// Who receives, as the node spells it.
    pub recipient: String,
    /// Base units; a decimal number.
    pub amount: String,
}

/// A transaction with everything that the log keeps of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TransactionDetails {
    /// What lists show too.
    #[serde(flatten)]
    pub transaction: Transaction,
    /// What was checked when the transaction was read, where something was claimed.
    #[schema(value_type = BTreeMap<String, CheckResult>)]
    pub checks: CheckResults,
    /// Receivers, where there are several; their sum and `undisclosed` are the amount.
    pub outputs: Vec<TransactionOutput>,
    /// Part of the amount that went to stealth outputs; base units, a decimal number.
    pub undisclosed: Option<String>,
    /// Raw text of the payload, byte for byte.
    pub data: Option<String>,
    /// Signature as the node spells it.
    pub signature: Option<String>,
    /// Key that the signature is by, hex.
    pub public_key: Option<String>,
    /// SHA-256 of a memo that is not kept, hex.
    pub memo_digest: Option<String>,
    /// Time that the transaction itself states, as the node spells it.
    pub time: Option<String>,
    /// The events behind the answer; only with `explain=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
}

/// Makes transactions, each with its body and the end of its unit, of rows whose columns may all be null.
macro_rules! transactions_from {
    ($rows:expr) => {
        $rows
            .into_iter()
            .filter_map(|row| {
                let stands = row.stands?;
                let transaction = Transaction {
                    chain: row.chain?,
                    tx_id: row.tx_id?,
                    block_height: row.block_height?,
                    block_hash: hex::encode(row.block_hash?),
                    block_time: rfc3339_micros(row.block_time?),
                    tx_index: row.tx_index?,
                    sender: row.sender?,
                    recipient: row.recipient,
                    amount: row.amount?,
                    fee: row.fee?,
                    nonce: row.nonce,
                    tx_type: row.tx_type?,
                    status: if stands { row.status } else { Some(RETRACTED.to_owned()) },
                    finalized: stands && row.finalized.unwrap_or_default(),
                    verdict: verdict_name(row.verdict),
                    position: row.position?,
                };
                Some((transaction, row.body, row.end_position))
            })
            .collect::<Vec<_>>()
    };
}

/// Transactions by their keys: `keys` is a select that gives `source_id, position, stands, counted, body, end_position`, in
/// which a position may be null when there is nothing but a count. Gives the stamp, the count (none when there was no row
/// of keys at all), and the transactions.
macro_rules! transactions_of {
    ($db:expr, $at:expr, $views:expr, $keys:literal, $order:literal $(, $argument:expr)* $(,)?) => {
        transactions_of!($db, $at, $views, ($keys), $order $(, $argument)*)
    };
    ($db:expr, $at:expr, $views:expr, ($($keys:tt)+), $order:literal $(, $argument:expr)* $(,)?) => {{
        let (at, rows) = stamped!(
            $db,
            $at,
            $views,
            r#"
            r.counted as "counted?", r.stands as "stands?", r.chain as "chain?", r.position as "position?",
            r.tx_id as "tx_id?", r.block_height as "block_height?", r.block_hash as "block_hash?",
            r.block_time as "block_time?", r.tx_index as "tx_index?", r.sender as "sender?", r.recipient as "recipient?",
            r.amount as "amount?", r.fee as "fee?", r.nonce as "nonce?", r.tx_type as "tx_type?", r.status as "status?",
            r.verdict as "verdict?", r.finalized as "finalized?", r.body as "body?", r.end_position as "end_position?"
            "#,
            (r#"
            select
                k.counted, k.stands, k.body, k.end_position, src.name as chain, t.position, t.tx_id, t.block_height,
                t.block_hash, t.block_time, t.tx_index, t.sender, t.recipient, t.amount::text as amount, t.fee::text as fee,
                t.nonce::text as nonce, t.tx_type, t.status, t.verdict, t.block_height <= f.finalized_height as finalized
            from (
                -- Tells the planner how few rows there are when it does not know the limit inside.
                select *
                from ("# + $($keys)+ + r#") few
                limit 101
            ) k
            join log.sources src on src.source_id = k.source_id
            left join transactions t on t.source_id = k.source_id and t.position = k.position
            left join lateral (
                select v.finalized_height
                from finality_versions v
                where v.source_id = k.source_id
                    and v.from_position <= s.position
                order by v.from_position desc
                limit 1
            ) f on true
            "#),
            $order
            $(, $argument)*
        )?;
        let counted = rows.first().filter(|row| row.stands.is_some()).map(|row| row.counted.unwrap_or_default());
        (at, counted, transactions_from!(rows))
    }};
}

// Behind the macros, so that it can use them.
mod in_block;
mod list;

pub use in_block::BlockTransactions;
pub use list::TransactionList;

const VIEWS: &[&str] = &["transactions", "blocks", "heads"];

/// The newest standing transaction with an id, else the newest that stood once.
#[derive(Debug, Clone)]
pub struct OneTransaction {
    /// The id, normalised.
    pub tx_id: String,
    /// Whether to show the events behind the answer.
    pub explain: bool,
}

impl Query for OneTransaction {
    const VIEWS: &'static [&'static str] = VIEWS;
    type Answer = Option<TransactionDetails>;

    fn key(&self) -> String {
        format!("tx:{}:{}", self.explain, self.tx_id)
    }

    fn views(&self) -> &'static [&'static str] {
        if self.explain { &["transactions", "blocks", "heads", "findings", "wallets"] } else { Self::VIEWS }
    }

    async fn run(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        let (at, _, found) = transactions_of!(
            db,
            at,
            self.views(),
            r#"
                select o.source_id, o.position, null::bigint as counted, e.body, u.end_position, not exists (
                    select 1
                    from log.retractions x
                    where x.source_id = o.source_id
                        and x.first_position <= o.position
                        and x.at_position > o.position
                        and x.at_position <= s.position
                ) as stands
                from transactions o
                left join log.events e on e.position = o.position
                left join lateral (
                    select l.end_position
                    from log.log_units l
                    where l.end_position >= o.position
                    order by l.end_position
                    limit 1
                ) u on true
                where o.tx_id = $3
                    and o.position <= s.position
                order by stands desc, o.position desc
                limit 1
            "#,
            "",
            self.tx_id,
        );
        let Some((transaction, body, last)) = found.into_iter().next() else { return Ok(Stamped { at, value: None }) };
        let mut found = details(transaction, body.as_deref().and_then(said_in_body));
        if self.explain {
            let first = found.transaction.position;
            let events = provenance::of_span(db, at.position, first, last.unwrap_or(first), Some(&self.tx_id)).await?;
            found.provenance = Some(events);
        }
        Ok(Stamped { at, value: Some(found) })
    }
}

fn page_of(found: Vec<(Transaction, Option<Vec<u8>>, Option<i64>)>, limit: i64) -> Rows<Transaction> {
    let items = found.into_iter().map(|(transaction, _, _)| transaction).collect();
    Rows::page(items, limit, |item: &Transaction| item.position.to_string())
}

fn said_in_body(body: &[u8]) -> Option<TransactionApplied> {
    match Event::parse(Kind::TransactionApplied, body) {
        Ok(Event::TransactionApplied(applied)) => Some(applied),
        Ok(_) | Err(_) => None,
    }
}

fn details(transaction: Transaction, body: Option<TransactionApplied>) -> TransactionDetails {
    let mut details = TransactionDetails {
        transaction,
        checks: CheckResults::new(),
        outputs: Vec::new(),
        undisclosed: None,
        data: None,
        signature: None,
        public_key: None,
        memo_digest: None,
        time: None,
        provenance: None,
    };
    let Some(body) = body else { return details };
    details.checks = results(body.checks);
    details.outputs = body
        .outputs
        .into_iter()
        .map(|output| TransactionOutput { recipient: output.recipient, amount: output.amount.get().to_string() })
        .collect();
    details.undisclosed = body.undisclosed.map(|amount| amount.get().to_string());
    details.data = body.data;
    details.signature = body.signature;
    details.public_key = body.public_key;
    details.memo_digest = body.memo_digest;
    details.time = Some(body.time.text().to_owned());
    details
}
