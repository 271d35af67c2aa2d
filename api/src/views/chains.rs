//! The chains: what is fixed about each, its rules, its money.

use chrono::{DateTime, Utc};
use schema::event::rfc3339_micros;
use schema::source::{FeeRule, SourceKind};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::page::Rows;
use crate::view::{At, LOG, Query, Stamped, stamped};

/// Every chain that the log has something of.
#[derive(Debug, Clone, Copy)]
pub struct Chains;

/// A chain.
#[derive(Debug, Serialize, ToSchema)]
pub struct Chain {
    /// The operator's name for it; the value of `chain=`.
    pub chain: String,
    /// Number of its source, which digests cover.
    pub source_id: i32,
    /// Protocol: `chert`, `aitbc` or `scripted`.
    pub kind: String,
    /// Chain id that signatures cover; null when unknown, which makes them unverifiable.
    pub chain_id: Option<String>,
    /// Hash of block 0, hex; null when it was not indexed.
    pub genesis_hash: Option<String>,
    /// First height that is followed.
    pub start_height: i64,
    /// Symbol of its money; empty when it has none.
    pub symbol: String,
    /// Digits behind the point when amounts are shown; amounts are always base units.
    pub decimals: i32,
    /// How accounts are spelled: `exact` or `aitbc`.
    pub address_rule: Option<&'static str>,
    /// What becomes of fees: an account, or `burned`.
    pub fee_rule: Option<String>,
    /// What makes blocks final.
    pub finality: Finality,
    /// What time is on this chain.
    pub clock: Clock,
    /// Its money; null before the first block.
    pub supply: Option<Supply>,
    /// Whether all-time numbers are complete: followed from genesis, and every transaction understood.
    pub complete: bool,
    /// Whether balances also change outside blocks, so that derived and reported ones differ.
    pub off_block_state: bool,
    /// Whether unverifiable wallet links of this source count.
    pub trusted: bool,
}

/// What makes blocks final.
#[derive(Debug, Serialize, ToSchema)]
pub struct Finality {
    /// `depth` or `operator`; null before anything was final.
    pub rule: Option<String>,
    /// Blocks up to here will not be retracted.
    pub finalized_height: Option<i64>,
}

/// What time is on a chain: what passes with time changes at the first block past the moment.
#[derive(Debug, Serialize, ToSchema)]
pub struct Clock {
    /// Always `block_time`.
    pub rule: &'static str,
    /// Height of the newest block.
    pub height: Option<i64>,
    /// Time that it states, RFC 3339: the chain's now.
    pub time: Option<String>,
}

/// A chain's money in base units: `balances_total` + `undisclosed` = `allocated` + `minted` − `burned`.
#[derive(Debug, Serialize, ToSchema)]
pub struct Supply {
    /// Allocated at genesis, decimal.
    pub allocated: String,
    /// Minted since, decimal.
    pub minted: String,
    /// Destroyed, decimal.
    pub burned: String,
    /// In stealth outputs, decimal.
    pub undisclosed: String,
    /// Sum of all balances, decimal.
    pub balances_total: String,
    /// Whether all money is known, so that overspending is impossible: block 0 carried allocations, and nothing since that
    /// was not understood may have moved or made any (finding `supply-not-understood`).
    pub closed: bool,
}

impl Query for Chains {
    const VIEWS: &'static [&'static str] = &["heads", "balances", LOG];
    type Answer = Rows<Chain>;

    fn key(&self) -> String {
        String::new()
    }

    async fn run(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        let (at, rows) = stamped!(
            db,
            at,
            Self::VIEWS,
            r#"
            r.source_id as "source_id?",
            r.name as "name?",
            r.kind as "kind?",
            r.chain_id as "chain_id?",
            r.trusted as "trusted?",
            r.off_block_state as "off_block_state?",
            r.start_height as "start_height?",
            r.symbol as "symbol?",
            r.decimals as "decimals?",
            r.genesis_hash as "genesis_hash?",
            r.height as "height?",
            r.block_time as "block_time?",
            r.complete as "complete?",
            r.finalized_height as "finalized_height?",
            r.rule as "rule?",
            r.allocated as "allocated?",
            r.minted as "minted?",
            r.burned as "burned?",
            r.undisclosed as "undisclosed?",
            r.balances_total as "balances_total?",
            r.closed as "closed?"
            "#,
            r#"
            select
                x.source_id, x.name, x.kind, x.chain_id, x.trusted, x.off_block_state, x.start_height, x.symbol,
                x.decimals, h.genesis_hash, h.height, h.block_time, h.complete, f.finalized_height, f.rule,
                m.allocated::text as allocated, m.minted::text as minted, m.burned::text as burned,
                m.undisclosed::text as undisclosed, m.balances_total::text as balances_total, m.closed
            from log.sources x
            left join lateral (
                select v.present, v.genesis_hash, v.height, v.block_time, v.complete
                from heads_versions v
                where v.source_id = x.source_id and v.from_position <= s.position
                order by v.from_position desc
                limit 1
            ) h on h.present
            left join lateral (
                select v.present, v.finalized_height, v.rule
                from finality_versions v
                where v.source_id = x.source_id and v.from_position <= s.position
                order by v.from_position desc
                limit 1
            ) f on f.present
            left join lateral (
                select v.present, v.allocated, v.minted, v.burned, v.undisclosed, v.balances_total, v.closed
                from supply_versions v
                where v.source_id = x.source_id and v.from_position <= s.position
                order by v.from_position desc
                limit 1
            ) m on m.present
            -- Positions are whole units, so the first event is as good as the first unit, and has an index. The limit keeps
            -- this one look-up per source, where an exists may become a scan of the log.
            join lateral (
                select 1
                from log.events e
                where e.source_id = x.source_id and e.position <= s.position
                order by e.position
                limit 1
            ) e on true
            "#,
            "order by r.source_id"
        )?;
        let chains = rows.into_iter().filter_map(|row| {
            let kind = SourceKind::from_name(row.kind.as_deref()?);
            let supply = || {
                Some(Supply {
                    allocated: row.allocated?,
                    minted: row.minted?,
                    burned: row.burned?,
                    undisclosed: row.undisclosed?,
                    balances_total: row.balances_total?,
                    closed: row.closed?,
                })
            };
            Some(Chain {
                chain: row.name?,
                source_id: row.source_id?,
                kind: row.kind?,
                chain_id: row.chain_id,
                genesis_hash: row.genesis_hash.map(hex::encode),
                start_height: row.start_height?,
                symbol: row.symbol?,
                decimals: row.decimals?,
                address_rule: kind.map(|kind| kind.address_rule().name()),
                fee_rule: kind.map(fee_rule),
                finality: Finality { rule: row.rule, finalized_height: row.finalized_height },
                clock: clock(row.height, row.block_time),
                supply: supply(),
                complete: row.complete.unwrap_or(false),
                off_block_state: row.off_block_state?,
                trusted: row.trusted?,
            })
        });
        Ok(Stamped { at, value: Rows { items: chains.collect(), next: None, count: None } })
    }
}

fn fee_rule(kind: SourceKind) -> String {
    match kind.fee_rule() {
        FeeRule::PaidTo(account) => account.to_owned(),
        FeeRule::Burned => "burned".to_owned(),
    }
}

fn clock(height: Option<i64>, time: Option<DateTime<Utc>>) -> Clock {
    Clock { rule: "block_time", height, time: time.map(rfc3339_micros) }
}
