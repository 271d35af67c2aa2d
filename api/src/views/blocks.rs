//! Blocks: the newest of a chain, or one by height or hash.

use schema::event::{Event, Kind, rfc3339_micros};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::page::Rows;
use crate::view::{At, Keep, Query, Stamped, stamped};
use crate::views::checks::{CheckResult, CheckResults, Standing, results, verdict_name};
use crate::views::provenance::{self, Provenance};

/// A block of a chain.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Block {
    /// Name of the chain.
    #[schema(example = "chert")]
    pub chain: String,
    /// Height, from 0.
    #[schema(example = 1204)]
    pub height: i64,
    /// Hash, lower-case hex.
    #[schema(example = "7f83b1657ff1fc53b92dc18148a1d65dfc2d4b1fa3d677284addd200126d9069")]
    pub hash: String,
    /// Hash of the parent; null at genesis where the chain leaves it empty.
    pub parent_hash: Option<String>,
    /// Time that the block states, RFC 3339 UTC.
    #[schema(format = DateTime, example = "2026-01-18T21:02:05.408028Z")]
    pub block_time: String,
    /// Who made the block, as the node spells it.
    pub validator_address: String,
    /// Transactions in the block.
    #[schema(example = 3)]
    pub tx_count: i64,
    /// Gas used, a decimal number; null where the chain has no gas.
    pub gas_used: Option<String>,
    /// Gas limit, a decimal number; null where the chain has no gas.
    pub gas_limit: Option<String>,
    /// State root as the node spells it.
    pub state_root: Option<String>,
    /// Signature over the block, as the node spells it.
    pub signature: Option<String>,
    /// The worst of the checks: `verified`, `refuted` or `unverifiable`; null where nothing is claimed.
    #[schema(example = "verified")]
    pub verdict: Option<&'static str>,
    /// What was checked when the block was read: `hash`, `link`, `count`, `signature`.
    #[schema(value_type = BTreeMap<String, CheckResult>)]
    pub checks: CheckResults,
    /// Whether a reorganisation has taken the block back.
    pub status: Standing,
    /// Whether the block is finalized: no reorganisation will take it back.
    pub finalized: bool,
    /// Position of the block in the log.
    pub position: i64,
    /// The events behind the answer; only with `explain=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
}

/// Which block is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlockId {
    /// By height on one chain.
    Height {
        /// The chain.
        source_id: i32,
        /// The height.
        height: i64,
    },
    /// By hash on any chain.
    Hash(Vec<u8>),
}

impl BlockId {
    /// The text that tells this block from others in cache keys.
    pub fn key(&self) -> String {
        match self {
            Self::Height { source_id, height } => format!("{source_id}:{height}"),
            Self::Hash(hash) => hex::encode(hash),
        }
    }

    /// The two forms as nullable arguments: source, height, hash.
    pub fn arguments(&self) -> (Option<i32>, Option<i64>, Option<&[u8]>) {
        match self {
            Self::Height { source_id, height } => (Some(*source_id), Some(*height), None),
            Self::Hash(hash) => (None, None, Some(hash)),
        }
    }
}

/// Makes blocks of rows whose columns may all be null.
macro_rules! blocks_from {
    ($rows:expr) => {
        $rows
            .into_iter()
            .filter_map(|row| {
                let (checks, signature) = said_in_body(row.body.as_deref());
                let stands = row.stands?;
                Some(Block {
                    chain: row.chain?,
                    height: row.height?,
                    hash: hex::encode(row.hash?),
                    parent_hash: row.parent_hash.map(hex::encode),
                    block_time: rfc3339_micros(row.block_time?),
                    validator_address: row.validator_address?,
                    tx_count: row.tx_count?,
                    gas_used: row.gas_used,
                    gas_limit: row.gas_limit,
                    state_root: row.state_root,
                    signature,
                    verdict: verdict_name(row.verdict),
                    checks,
                    status: Standing::of(stands),
                    finalized: stands && row.finalized.unwrap_or_default(),
                    position: row.position?,
                    provenance: None,
                })
            })
            .collect::<Vec<Block>>()
    };
}

/// Blocks by their keys: `keys` is a select that gives `source_id, position, stands, counted`, in which a position may be
/// null when there is nothing but a count. Gives the stamp, the count, and the blocks, newest first.
macro_rules! blocks_of {
    ($db:expr, $at:expr, $views:expr, $keys:literal $(, $argument:expr)* $(,)?) => {{
        let (at, rows) = stamped!(
            $db,
            $at,
            $views,
            r#"
            r.counted as "counted?", r.stands as "stands?", r.chain as "chain?", r.position as "position?",
            r.height as "height?", r.hash as "hash?", r.parent_hash as "parent_hash?", r.block_time as "block_time?",
            r.validator_address as "validator_address?", r.tx_count as "tx_count?", r.gas_used as "gas_used?",
            r.gas_limit as "gas_limit?", r.state_root as "state_root?", r.verdict as "verdict?", r.body as "body?",
            r.finalized as "finalized?"
            "#,
            (r#"
            select
                k.counted, k.stands, src.name as chain, b.position, b.height, b.hash, b.parent_hash, b.block_time,
                b.validator_address, b.tx_count, b.gas_used::text as gas_used, b.gas_limit::text as gas_limit, b.state_root,
                b.verdict, e.body, b.height <= f.finalized_height as finalized
            from (
                -- Tells the planner how few rows there are when it does not know the limit inside.
                select *
                from ("# + $keys + r#") few
                limit 101
            ) k
            join log.sources src on src.source_id = k.source_id
            left join blocks b on b.source_id = k.source_id and b.position = k.position
            left join log.events e on e.position = k.position
            left join lateral (
                select v.finalized_height
                from finality_versions v
                where v.source_id = k.source_id
                    and v.from_position <= s.position
                order by v.from_position desc
                limit 1
            ) f on true
            "#),
            "order by r.position desc"
            $(, $argument)*
        )?;
        let counted = rows.first().and_then(|row| row.counted).unwrap_or_default();
        (at, counted, blocks_from!(rows))
    }};
}

const VIEWS: &[&str] = &["blocks", "heads"];

/// The newest standing block with a height or hash, else the newest that stood once.
#[derive(Debug, Clone)]
pub struct OneBlock {
    /// Which block.
    pub id: BlockId,
    /// Whether to show the events behind the answer.
    pub explain: bool,
}

impl Query for OneBlock {
    const VIEWS: &'static [&'static str] = VIEWS;
    type Answer = Option<Block>;

    fn key(&self) -> String {
        format!("block:{}:{}", self.id.key(), self.explain)
    }

    fn views(&self) -> &'static [&'static str] {
        if self.explain { &["blocks", "heads", "findings", "wallets"] } else { Self::VIEWS }
    }

    async fn run(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        let (source_id, height, hash) = self.id.arguments();
        let (at, _, found) = blocks_of!(
            db,
            at,
            self.views(),
            r#"
                select found.source_id, found.position, null::bigint as counted, not exists (
                    select 1
                    from log.retractions x
                    where x.source_id = found.source_id
                        and x.first_position <= found.position
                        and x.at_position > found.position
                        and x.at_position <= s.position
                ) as stands
                from (
                    select o.source_id, o.position
                    from blocks o
                    where o.source_id = $3
                        and o.height = $4
                        and o.position <= s.position
                    union all
                    select o.source_id, o.position
                    from blocks o
                    where o.hash = $5
                        and o.position <= s.position
                ) found
                order by stands desc, found.position desc
                limit 1
            "#,
            source_id,
            height,
            hash,
        );
        let Some(mut block) = found.into_iter().next() else { return Ok(Stamped { at, value: None }) };
        if self.explain {
            block.provenance = Some(provenance::of_span(db, at.position, block.position, block.position, None).await?);
        }
        Ok(Stamped { at, value: Some(block) })
    }
}

/// The standing blocks of a chain, newest first; sort key is the position.
#[derive(Debug, Clone)]
pub struct BlockList {
    /// The chain.
    pub source_id: i32,
    /// Only blocks before this position.
    pub before: Option<i64>,
    /// Items on a page.
    pub limit: i64,
    /// Items to leave out first.
    pub offset: i64,
    /// Whether to say how many there are.
    pub count: bool,
}

impl Query for BlockList {
    const VIEWS: &'static [&'static str] = VIEWS;
    const KEEP: Keep = Keep::HotList;
    type Answer = Rows<Block>;

    fn key(&self) -> String {
        format!("blocks:{}:{:?}:{}:{}:{}", self.source_id, self.before, self.limit, self.offset, self.count)
    }

    async fn run(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        let (at, counted, items) = blocks_of!(
            db,
            at,
            Self::VIEWS,
            r#"
                select src.source_id, b.position, true as stands, h.counted
                from log.sources src
                left join lateral (
                    select case when v.present then v.height - v.first_height + 1 else 0 end as counted
                    from heads_versions v
                    where $7
                        and v.source_id = $3
                        and v.from_position <= s.position
                    order by v.from_position desc
                    limit 1
                ) h on true
                left join lateral (
                    select o.position
                    from blocks o
                    where o.source_id = $3
                        and o.position <= s.position
                        and o.position < coalesce($4, 9223372036854775807)
                        and not exists (
                            select 1
                            from log.retractions x
                            where x.source_id = $3
                                and x.first_position <= o.position
                                and x.at_position > o.position
                                and x.at_position <= s.position
                        )
                    order by o.position desc
                    limit $5::bigint + 1
                    offset $6
                ) b on true
                where src.source_id = $3
            "#,
            self.source_id,
            self.before,
            self.limit,
            self.offset,
            self.count,
        );
        let mut page = Rows::page(items, self.limit, |block: &Block| block.position.to_string());
        page.count = self.count.then_some(counted);
        Ok(Stamped { at, value: page })
    }
}

/// What only the body of `chain.block_applied` says: the checks one by one, and the signature.
fn said_in_body(body: Option<&[u8]>) -> (CheckResults, Option<String>) {
    match body.map(|body| Event::parse(Kind::BlockApplied, body)) {
        Some(Ok(Event::BlockApplied(applied))) => (results(applied.checks), applied.signature),
        Some(_) | None => (CheckResults::new(), None),
    }
}
