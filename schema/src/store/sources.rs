//! Sources in the database: the facts that never change, and where the appender stands with each.

use sqlx::PgConnection;

use crate::chain::{BlockHash, Height};
use crate::event::{Kind, SourceId, SourceStarted};
use crate::source::{SourceFacts, SourceKind};
use crate::store::StoreError;

/// Longest text of a source's trouble that is stored.
const MAX_TROUBLE_CHARS: usize = 1_000;

/// The newest standing block of a source in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Its height.
    pub height: Height,
    /// Its hash.
    pub hash: BlockHash,
}

/// What the settings say about a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// The operator's name for it.
    pub name: String,
    /// Protocol and rules.
    pub kind: SourceKind,
    /// Chain id that signatures cover, where known.
    pub chain_id: Option<String>,
    /// Whether unverifiable wallet links count.
    pub trusted: bool,
    /// Whether balances also change outside blocks.
    pub off_block_state: bool,
    /// First height to follow.
    pub start_height: Height,
    /// Symbol of its money.
    pub symbol: String,
    /// Digits behind the point when amounts are shown.
    pub decimals: i32,
    /// Whether readiness depends on it.
    pub required: bool,
}

/// Where the appender stands with a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceProgress {
    /// Newest standing block; none before the first.
    pub cursor: Option<Cursor>,
    /// Highest finalized height.
    pub finalized: Option<Height>,
    /// Whether an operator has paused it.
    pub paused: bool,
    /// A fork below the finalized height that the operator accepted.
    pub accepted_fork: Option<Height>,
    /// Whether the first event of the source has been written.
    pub started: bool,
}

/// Writes a source down at first sight, and refuses settings that contradict what is written.
pub async fn declare_source(db: &mut PgConnection, declared: &Declared) -> Result<SourceFacts, StoreError> {
    let known = load_facts(db).await?.into_iter().find(|facts| facts.name == declared.name);
    let facts = match known {
        Some(facts) => facts,
        None => insert_source(db, declared).await?,
    };
    let checks = [
        ("kind", facts.kind.name().to_owned(), declared.kind.name().to_owned()),
        ("trusted", facts.trusted.to_string(), declared.trusted.to_string()),
        ("off_block_state", facts.off_block_state.to_string(), declared.off_block_state.to_string()),
        ("sync_from_block", facts.start_height.to_string(), declared.start_height.to_string()),
    ];
    for (field, stored, wanted) in checks {
        if stored != wanted {
            return Err(StoreError::SourceChanged { name: declared.name.clone(), field, stored, wanted });
        }
    }
    if let (Some(stored), Some(wanted)) = (&facts.chain_id, &declared.chain_id)
        && stored != wanted
    {
        let (stored, wanted) = (stored.clone(), wanted.clone());
        return Err(StoreError::SourceChanged { name: declared.name.clone(), field: "chain_id", stored, wanted });
    }
    sqlx::query!(
        r#"
        insert into log.source_state as s (source_id, required)
        values ($1, $2)
        on conflict (source_id) do update set required = excluded.required
        "#,
        facts.source_id.0,
        declared.required
    )
    .execute(db)
    .await?;
    Ok(facts)
}

async fn insert_source(db: &mut PgConnection, declared: &Declared) -> Result<SourceFacts, StoreError> {
    let row = sqlx::query!(
        r#"
        insert into log.sources (source_id, name, kind, chain_id, trusted, off_block_state, start_height, symbol, decimals)
        select coalesce(max(source_id), 0) + 1, $1, $2, $3, $4, $5, $6, $7, $8
        from log.sources
        returning source_id
        "#,
        declared.name,
        declared.kind.name(),
        declared.chain_id.as_deref(),
        declared.trusted,
        declared.off_block_state,
        declared.start_height.to_db(),
        declared.symbol,
        declared.decimals
    )
    .fetch_one(db)
    .await?;
    Ok(SourceFacts {
        source_id: SourceId(row.source_id),
        name: declared.name.clone(),
        kind: declared.kind,
        chain_id: declared.chain_id.clone(),
        trusted: declared.trusted,
        off_block_state: declared.off_block_state,
        start_height: declared.start_height,
        symbol: declared.symbol.clone(),
        decimals: declared.decimals,
    })
}

/// What a source said about itself at first contact, if that has happened.
pub async fn first_contact(db: &mut PgConnection, source: SourceId) -> Result<Option<SourceStarted>, StoreError> {
    let row = sqlx::query!(
        r#"
        select position, body
        from log.events
        where source_id = $1
            and kind = $2
        order by position
        limit 1
        "#,
        source.0,
        Kind::SourceStarted.code()
    )
    .fetch_optional(db)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let started = serde_json::from_slice(&row.body);
    started.map(Some).map_err(|error| StoreError::damaged(row.position, format!("source.started: {error}")))
}

/// Writes down which sources the running indexer follows, in the order of its settings.
pub async fn configure_sources(db: &mut PgConnection, in_order: &[SourceId]) -> Result<(), StoreError> {
    let ids: Vec<i32> = in_order.iter().map(|id| id.0).collect();
    sqlx::query!(
        r#"
        update log.source_state s
        set configured_order = (
            select min(o.place)::integer - 1
            from unnest($1::integer[]) with ordinality o (source_id, place)
            where o.source_id = s.source_id
        )
        "#,
        &ids
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Every source that this database knows, by number.
pub async fn load_facts(db: &mut PgConnection) -> Result<Vec<SourceFacts>, StoreError> {
    let rows = sqlx::query!(
        r#"
        select source_id, name, kind, chain_id, trusted, off_block_state, start_height, symbol, decimals
        from log.sources
        order by source_id
        "#
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            let kind = SourceKind::from_name(&row.kind).ok_or_else(|| {
                StoreError::damaged(0, format!("source {} is of unknown kind {}", row.name, row.kind))
            })?;
            Ok(SourceFacts {
                source_id: SourceId(row.source_id),
                name: row.name,
                kind,
                chain_id: row.chain_id,
                trusted: row.trusted,
                off_block_state: row.off_block_state,
                start_height: Height::from_db(row.start_height)?,
                symbol: row.symbol,
                decimals: row.decimals,
            })
        })
        .collect()
}

impl SourceProgress {
    /// Reads where the appender stands with a source.
    pub async fn load(db: &mut PgConnection, source: SourceId) -> Result<Self, StoreError> {
        let row = sqlx::query!(
            r#"
            select
                cursor_height,
                cursor_hash,
                finalized_height,
                paused,
                accepted_fork_height,
                exists (select 1 from log.events e where e.source_id = s.source_id) as "started!"
            from log.source_state s
            where source_id = $1
            "#,
            source.0
        )
        .fetch_one(db)
        .await?;
        let cursor = match (row.cursor_height, row.cursor_hash) {
            (Some(height), Some(hash)) => {
                Some(Cursor { height: Height::from_db(height)?, hash: BlockHash::from_bytes(hash)? })
            }
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => return Err(StoreError::damaged(0, "half a cursor")),
        };
        Ok(Self {
            cursor,
            finalized: row.finalized_height.map(Height::from_db).transpose()?,
            paused: row.paused,
            accepted_fork: row.accepted_fork_height.map(Height::from_db).transpose()?,
            started: row.started,
        })
    }
}

/// What an operator has told a source since the last look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Orders {
    /// Whether it is paused.
    pub paused: bool,
    /// A fork below the finalized height that is accepted.
    pub accepted_fork: Option<Height>,
}

/// What a look at a source showed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Look<'a> {
    /// The newest block that the node named, when it was asked.
    pub tip: Option<(Height, Option<&'a BlockHash>)>,
    /// `backfilling`, `following`, `stalled` or `halted`; none keeps what was stored.
    pub state: Option<&'a str>,
    /// Trouble, in a plain sentence; it is counted.
    pub trouble: Option<&'a str>,
    /// Whether earlier trouble is over.
    pub recovered: bool,
}

/// Stores what a look at a source showed when there was nothing to append. Returns the operator's orders, which a running
/// follower sees in this way.
pub async fn report_look(db: &mut PgConnection, source: SourceId, look: Look<'_>) -> Result<Orders, StoreError> {
    let (tip_height, tip_hash) = match look.tip {
        Some((height, hash)) => (Some(height.to_db()), hash.map(BlockHash::as_bytes)),
        None => (None, None),
    };
    // The text may quote a node, and a node may say anything.
    let trouble: Option<String> =
        look.trouble.map(|text| text.replace('\0', "\u{fffd}").chars().take(MAX_TROUBLE_CHARS).collect());
    let row = sqlx::query!(
        r#"
        update log.source_state
        set tip_height = coalesce($2, tip_height),
            tip_hash = case when $2::bigint is null then tip_hash else $3 end,
            tip_seen_at = case when $2::bigint is null then tip_seen_at else clock_timestamp() end,
            ahead_since = case
                when coalesce($2, tip_height) is null or coalesce($2, tip_height) <= cursor_height then null
                else coalesce(ahead_since, clock_timestamp())
            end,
            state = case when paused then 'paused' else coalesce($4, state) end,
            last_error = case when $6 then null else coalesce($5, last_error) end,
            last_error_at = case when $5::text is null then last_error_at else clock_timestamp() end,
            error_count = error_count + case when $5::text is null then 0 else 1 end
        where source_id = $1
        returning paused, accepted_fork_height
        "#,
        source.0,
        tip_height,
        tip_hash,
        look.state,
        trouble,
        look.recovered
    )
    .fetch_one(db)
    .await?;
    Ok(Orders { paused: row.paused, accepted_fork: row.accepted_fork_height.map(Height::from_db).transpose()? })
}

/// What an operator may tell a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Stop following for now.
    Pause,
    /// Follow again.
    Resume,
    /// Accept that blocks above this height were replaced although they were final.
    AcceptFork(Height),
}

/// Passes an operator's order on to a source; false when there is no source of that name.
pub async fn order_source(db: &mut PgConnection, name: &str, order: Order) -> Result<bool, StoreError> {
    let (paused, accepted) = match order {
        Order::Pause => (Some(true), None),
        Order::Resume => (Some(false), None),
        Order::AcceptFork(height) => (None, Some(height.to_db())),
    };
    let done = sqlx::query!(
        r#"
        update log.source_state
        set paused = coalesce($2, paused),
            accepted_fork_height = coalesce($3, accepted_fork_height)
        where source_id = (select source_id from log.sources where name = $1)
        "#,
        name,
        paused,
        accepted
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}
