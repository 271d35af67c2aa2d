//! Where an answer comes from: the events of the log that made it what it is.
//!
//! Provenance is read by a second statement as of the position of the first. What the log says as of a position never
//! changes afterwards, so both statements speak of the same moment without a transaction around them.

use schema::chain::IdentityId;
use schema::event::{Kind, Namespace, Position, rfc3339_micros};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::view::{At, stamped};
use crate::views::feed;

/// Provenance is read at a position that all views have answered for: the asking query names those that say what counted.
pub(crate) const LOG: &[&str] = &[];
/// Events shown at most.
pub(crate) const SHOWN: i64 = 50;
/// Events looked at and counted at most: a count is not worth reading millions of rows.
pub(crate) const COUNTED: i64 = 1_000;

/// The events behind an answer, only with `explain=true`.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Provenance {
    /// The newest 50 standing events that the answer is made of, newest first.
    pub events: Vec<Cause>,
    /// How many there are in all when `count_exact`, else at least so many: how many of the newest events looked at, 1,000
    /// at most, are of them.
    pub count: i64,
    /// False when not all events that may be of them were looked at, so that there may be more than the count says.
    pub count_exact: bool,
    /// Path that lists every event about the subject, where the answer has one subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

impl Provenance {
    /// The provenance of an answer that no event made.
    pub fn nothing(link: String) -> Self {
        Self { events: Vec::new(), count: 0, count_exact: true, link: Some(link) }
    }
}

/// The path that lists every event about a subject.
pub fn events_link(namespace: Namespace, name: &str, source: Option<&str>) -> String {
    let subject = escaped(name);
    let source = source.map(|source| format!("&source={}", escaped(source))).unwrap_or_default();
    format!("/v1/events?subject={}:{subject}{source}", namespace.name())
}

/// A text as it may stand in a query: everything but letters, digits and `-._~` percent-encoded.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut escaped, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(char::from(byte)),
            byte => escaped.push_str(&format!("%{byte:02X}")),
        }
        escaped
    })
}

/// One event behind an answer.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Cause {
    /// Position in the log; `/v1/events/{position}` has the whole event.
    pub position: i64,
    /// Kind of the event.
    #[schema(example = "chain.transaction_applied")]
    pub kind: &'static str,
    /// Chain or source that it comes from.
    pub chain: String,
    /// Height of the block that carried it.
    pub height: Option<i64>,
    /// Hash of that block, hex.
    pub block_hash: Option<String>,
    /// Transaction that carried it.
    pub tx_id: Option<String>,
    /// Time of the block or record.
    #[schema(format = DateTime)]
    pub occurred_at: String,
}

macro_rules! causes {
    ($rows:expr) => {
        $rows
            .into_iter()
            .filter_map(|row| {
                Some(Cause {
                    position: row.position?,
                    kind: Kind::from_code(row.kind?)?.name(),
                    chain: row.chain?,
                    height: row.height,
                    block_hash: row.block_hash.map(hex::encode),
                    tx_id: row.tx_id,
                    occurred_at: rfc3339_micros(row.occurred_at?),
                })
            })
            .collect::<Vec<_>>()
    };
}
pub(crate) use causes;

// Behind the macro, so that it can use it.
mod address;
mod span;

pub use address::of_address;
pub use span::of_span;

/// Which sources' events explain an answer.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sources<'a> {
    /// Whom the answer is about, if an identity: who is registered by its id at a source that is not recognised is another.
    pub identity_id: Option<&'a IdentityId>,
    /// The source that the answer is from, or part of it.
    pub source_id: Option<i32>,
    /// What explains the answer only where that source says it.
    pub only_there: &'a [Kind],
}

/// The standing events of some kinds about a subject: `$3` is the subject, `$4` are the kinds, `$5` is how many to look at,
/// `$6` says whether those that changed nothing are wanted too, `$7` to `$9` are the [`Sources`]; the arguments of `spans`
/// start at `$10`. `spans` gives `places`: the newest positions of the subject in one part or more, `$5` at most, from an
/// index alone.
macro_rules! about_subject {
    (
        $db:expr, $at:expr, $link:expr, $subject:expr, $kinds:expr, $and_void:expr, $sources:expr,
        $spans:literal $(, $argument:expr)* $(,)?
    ) => {
        stamped!(
            $db,
            At::Position(Position($at)),
            LOG,
            r#"
            r.is_cut as "is_cut?",
            r.position as "position?",
            r.kind as "kind?",
            r.chain as "chain?",
            r.height as "height?",
            r.block_hash as "block_hash?",
            r.tx_id as "tx_id?",
            r.occurred_at as "occurred_at?",
            count(r.position) over () as "counted!"
            "#,
            (r#"
            with gone as materialized (
                -- All at once: to look for each of many events among many retractions takes long.
                select x.source_id, range_agg(int8range(x.first_position, x.at_position)) as span
                from log.retractions x
                where x.at_position <= s.position
                group by x.source_id
            ), speaking as materialized (
                -- Once for each source, not for each event.
                select src.source_id, src.name
                from log.sources src
                where $9::bytea is null
                    or log.recognised(src.source_id, $9, s.position)
            ), spans as materialized (
                "# + $spans + r#"
            ), complete as materialized (
                -- Down to here nothing is missing: the last place of those that were cut off.
                select coalesce(max(n.places[$5::bigint]), 0) as place
                from spans n
            ), looked_at as materialized (
                -- One row per event, in however many parts it is about the subject.
                select distinct m.place as position
                from spans n
                cross join complete c
                cross join unnest(n.places) m (place)
                where m.place >= c.place
                order by m.place desc
                limit $5
            )
            select
                n.is_cut, e.position, e.kind, e.chain, e.height, e.block_hash, e.tx_id, e.occurred_at
            from (
                select c.place > 0 or k.looked_at >= $5 as is_cut
                from complete c
                cross join (select count(*) as looked_at from looked_at) k
            ) n
            left join (
                select e.position, e.kind, src.name as chain, e.height, e.block_hash, e.tx_id, e.occurred_at
                from looked_at k
                -- One look-up per row: a merge would read the log backwards to an old subject's only event.
                cross join lateral (
                    select v.position, v.source_id, v.kind, v.height, v.block_hash, v.tx_id, v.occurred_at
                    from log.events v
                    where v.position = k.position
                    offset 0
                ) e
                join speaking src on src.source_id = e.source_id
                left join gone on gone.source_id = e.source_id and e.height is not null
                where e.kind = any($4::smallint[])
                    and (e.source_id = $7::integer or e.kind <> all($8::smallint[]))
                    and (e.position <@ gone.span) is not true
                    -- What counts nothing made nothing what it is.
                    and ($6 or not exists (select from log.voids(e.position, s.position)))
                    -- Nor does who follows or is followed in the name of another, or follows again; no finding says so.
                    and (e.kind not in (13, 14) or not exists (
                        select 1
                        from log.event_subjects a
                        cross join lateral (
                            select decode(f.subject, 'hex') as identity_id
                            from log.subjects f
                            where f.subject_id = a.subject_id
                                and f.namespace = 2
                            offset 0
                        ) f
                        where a.position = e.position
                            and not log.recognised(e.source_id, f.identity_id, s.position)
                        offset 0
                    ))
                    and (e.kind <> 13 or exists (
                        select 1
                        from follow_claims_versions x
                        where x.source_id = e.source_id
                            and x.follower_id = (
                                select (select decode(f.subject, 'hex') from log.subjects f where f.subject_id = a.subject_id)
                                from log.event_subjects a
                                where a.position = e.position
                                    and a.role = 7
                                limit 1
                            )
                            and x.following_id = (
                                select (select decode(f.subject, 'hex') from log.subjects f where f.subject_id = a.subject_id)
                                from log.event_subjects a
                                where a.position = e.position
                                    and a.role = 8
                                limit 1
                            )
                            and x.claim_position = e.position
                            and x.from_position <= s.position
                        -- For each event: never all of them at once.
                        offset 0
                    ))
                offset 0
            ) e on true
            "#),
            "order by r.position desc nulls last limit 50",
            $subject,
            &$crate::views::provenance::codes($kinds),
            COUNTED + 1,
            $and_void,
            $sources.source_id,
            &$crate::views::provenance::codes($sources.only_there),
            $sources.identity_id.map(|id| id.as_bytes().as_slice())
            $(, $argument)*
        )
        .map(|(_, rows)| {
            let first = rows.first();
            let is_cut = first.and_then(|row| row.is_cut).unwrap_or_default();
            let count = first.map_or(0, |row| row.counted).min(COUNTED);
            let events = causes!(rows);
            debug_assert!(i64::try_from(events.len()).is_ok_and(|shown| shown <= SHOWN), "the statement shows at most 50");
            Provenance { events, count, count_exact: !is_cut, link: Some($link) }
        })
    };
}
pub(crate) use about_subject;

/// The standing events of some kinds about a subject that has only one part in events, as of a position that an answer
/// named, without those that changed nothing.
pub async fn of_subject(
    db: &mut PgConnection,
    at: i64,
    subject_id: i64,
    kinds: &[Kind],
    link: String,
) -> sqlx::Result<Provenance> {
    of_one_part(db, at, subject_id, kinds, false, link).await
}

/// The same, with those that changed nothing else: where an answer says how many of them there are.
pub async fn of_subject_and_void(
    db: &mut PgConnection,
    at: i64,
    subject_id: i64,
    kinds: &[Kind],
    link: String,
) -> sqlx::Result<Provenance> {
    of_one_part(db, at, subject_id, kinds, true, link).await
}

async fn of_one_part(
    db: &mut PgConnection,
    at: i64,
    subject_id: i64,
    kinds: &[Kind],
    and_void: bool,
    link: String,
) -> sqlx::Result<Provenance> {
    about_subject!(
        db,
        at,
        link,
        subject_id,
        kinds,
        and_void,
        Sources::default(),
        r#"
                select array(
                    select es.position
                    from log.event_subjects es
                    where es.subject_id = $3
                        and es.position <= s.position
                    order by es.position desc
                    limit $5
                ) as places
        "#,
    )
}

/// What [`of_subject`] gives for an identity, by the roles that events of these kinds give to identities: what else it does,
/// votes and work above all, made nothing of what is asked about, and is passed over in the index.
pub(crate) async fn of_identity(
    db: &mut PgConnection,
    at: i64,
    subject_id: i64,
    kinds: &[Kind],
    sources: Sources<'_>,
    link: String,
) -> sqlx::Result<Provenance> {
    about_subject!(
        db,
        at,
        link,
        subject_id,
        kinds,
        false,
        sources,
        r#"
                select array(
                    select es.position
                    from log.event_subjects es
                    where es.subject_id = $3
                        and es.role = k.role
                        and es.role in (5, 7, 8, 12, 13, 14, 15)
                        and es.position <= s.position
                    order by es.position desc
                    limit $5
                ) as places
                from unnest($10::smallint[]) k (role)
        "#,
        &feed::roles_of(kinds),
    )
}

/// The numbers of some kinds.
pub(crate) fn codes(kinds: &[Kind]) -> Vec<i16> {
    kinds.iter().map(|kind| kind.code()).collect()
}
