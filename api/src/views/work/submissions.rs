//! Submissions as clients see them: what was handed in, what came of it, and who says so.

use schema::event::Kind;
use serde::Serialize;
use utoipa::ToSchema;

use super::Family;

/// A submission of work, or a rejection that takes out nothing.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Submission {
    /// Its id at its source.
    #[schema(example = "wu-2026-000042")]
    pub submission_id: String,
    /// Kind of its event: `work.submitted` or `work.rejected`.
    #[schema(example = "work.submitted")]
    pub kind: &'static str,
    /// What it comes to: `accepted` counts; `rejected` was taken out by a rejection, or is one; `refuted` has an oracle's
    /// signature that does not hold; `unproven` is not proved to be its oracle's word; `repeated` has an id that had counted
    /// before.
    #[schema(example = "accepted")]
    pub status: String,
    /// Name of the chain or source.
    #[schema(example = "chert")]
    pub chain: String,
    /// The miner, canonical.
    #[schema(example = "0x5b38da6a701c568545dcfcb03fcb875f56beddc4")]
    pub miner_address: String,
    /// Oracle that validated it, as named in the record; null when the chain itself does.
    #[schema(example = "boinc-1")]
    pub oracle_id: Option<String>,
    /// Name under which that oracle is registered.
    #[schema(example = "BOINC oracle one")]
    pub oracle_name: Option<String>,
    /// Whether that oracle is registered.
    #[schema(example = true)]
    pub oracle_registered: bool,
    /// Outcome of the check of the oracle's signature: `verified`, `refuted` or `unverifiable`; null when nothing is signed.
    #[schema(example = "verified")]
    pub oracle_verdict: Option<&'static str>,
    /// Type of work as the record spells it.
    #[schema(example = "boinc")]
    pub work_type: String,
    /// What it adds to the score of its type now, in `unit`; a decimal number, 0 unless accepted.
    #[schema(example = "10.5")]
    pub score: String,
    /// What the score counts.
    #[schema(example = "cobblestones")]
    pub unit: &'static str,
    /// Credit as the record spells it; a decimal number.
    #[schema(example = "10.50")]
    pub credit: Option<String>,
    /// Difficulty as the record spells it; a decimal number.
    #[schema(example = "1.5")]
    pub difficulty: Option<String>,
    /// Reward as claimed, in `reward_unit`; a decimal number that moves no balance.
    #[schema(example = "25")]
    pub reward: Option<String>,
    /// `points` or `base_units`.
    #[schema(example = "points")]
    pub reward_unit: Option<String>,
    /// Project of the work.
    #[schema(example = "einstein")]
    pub project: Option<String>,
    /// Task of the project.
    #[schema(example = "h1_0561.70_O3aC01")]
    pub task_id: Option<String>,
    /// When the miner handed it in, as claimed; RFC 3339 UTC.
    #[schema(format = DateTime, example = "2026-01-18T21:02:10.000000Z")]
    pub submitted_at: Option<String>,
    /// When the oracle decided, as claimed; RFC 3339 UTC.
    #[schema(format = DateTime, example = "2026-01-18T21:02:55.000000Z")]
    pub validated_at: Option<String>,
    /// Height of the block that carried it.
    #[schema(example = 1204)]
    pub block_height: Option<i64>,
    /// Transaction that carried it.
    #[schema(example = "67e55044-10b1-426f-9247-bb680e5fe0c8")]
    pub tx_id: Option<String>,
    /// Time of the block or record, from which on it counts; RFC 3339 UTC.
    #[schema(format = DateTime, example = "2026-01-18T21:03:00.000000Z")]
    pub time: String,
    /// Position of its event in the log; `/v1/events/{position}` has the whole event.
    #[schema(example = 48211)]
    pub position: i64,
    /// The rejection that took it out; null when none did.
    pub rejected: Option<Rejected>,
    /// Why it was rejected or does not count, in a plain sentence.
    #[schema(example = "result mismatch")]
    pub reason: Option<String>,
}

/// A rejection that took out an accepted submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Rejected {
    /// Position of its event in the log.
    #[schema(example = 48302)]
    pub position: i64,
    /// Why, as the oracle says.
    #[schema(example = "result mismatch")]
    pub reason: Option<String>,
    /// Block time of the rejection, RFC 3339 UTC.
    #[schema(format = DateTime, example = "2026-01-18T21:09:00.000000Z")]
    pub time: String,
}

/// A stamped statement about submissions by their keys: `keys` is a select, or common table expressions and a select, that
/// gives `known, shown, source_id, position` of standing records; the position may be null when there is nothing but the
/// flags. Gives the stamp, the two flags, and the records, newest first.
macro_rules! submissions_at {
    ($db:expr, $at:expr, $views:expr, $keys:literal $(, $argument:expr)* $(,)?) => {
        $crate::views::work::submissions::submissions_at!($db, $at, $views, ($keys) $(, $argument)*)
    };
    ($db:expr, $at:expr, $views:expr, ($($keys:tt)+) $(, $argument:expr)* $(,)?) => {{
        let (at, rows) = $crate::view::stamped!(
            $db,
            $at,
            $views,
            r#"
            r.known as "known?", r.shown as "shown?", r.position as "position?", r.submission_id as "submission_id?",
            r.is_rejection as "is_rejection?", r.outcome as "outcome?", r.chain as "chain?",
            r.miner_address as "miner_address?", r.oracle_id as "oracle_id?", r.oracle_name as "oracle_name?",
            r.oracle_verdict as "oracle_verdict?", r.work_type as "work_type?", r.score as "score?", r.credit as "credit?",
            r.difficulty as "difficulty?", r.reward as "reward?", r.reward_unit as "reward_unit?", r.project as "project?",
            r.task_id as "task_id?", r.submitted_at as "submitted_at?", r.validated_at as "validated_at?",
            r.block_height as "block_height?", r.tx_id as "tx_id?", r.occurred_at as "occurred_at?", r.reason as "reason?",
            r.rejected_position as "rejected_position?", r.rejected_reason as "rejected_reason?",
            r.rejected_at as "rejected_at?", r.oracle_position as "oracle_position?", r.owner as "owner?",
            r.owner_position as "owner_position?", r.owner_shown as "owner_shown?",
            r.owner_visibility as "owner_visibility?"
            "#,
            (r#"
            select
                k.known, k.shown, b.position, b.submission_id, b.is_rejection, b.outcome, src.name as chain, b.miner_address,
                b.oracle_id, o.name as oracle_name, b.oracle_verdict, b.work_type, b.score::text as score, b.credit,
                b.difficulty, b.reward::text as reward, b.reward_unit, b.project, b.task_id, b.submitted_at, b.validated_at,
                b.block_height, b.tx_id, b.occurred_at, b.reason, x.position as rejected_position,
                x.reason as rejected_reason, x.occurred_at as rejected_at, o.claim_position as oracle_position,
                a.identity_id as owner, a.claim_position as owner_position, log.shows_stats(a.identity_id) as owner_shown,
                i.stats_visibility as owner_visibility
            from (
                -- Tells the planner how few rows there are when it does not know the limit inside.
                select *
                from ("# + $($keys)+ + r#") few
                limit 101
            ) k
            left join work_submissions b on b.source_id = k.source_id and b.position = k.position
            left join log.sources src on src.source_id = b.source_id
            left join lateral (
                select y.position, y.reason, y.occurred_at
                from work_submissions y
                where y.accepted_position = b.position
                    and y.source_id = b.source_id
                    and y.position <= s.position
                    and not exists (
                        select 1
                        from log.retractions t
                        where t.source_id = y.source_id
                            and t.first_position <= y.position
                            and t.at_position > y.position
                            and t.at_position <= s.position
                    )
                order by y.position
                limit 1
            ) x on true
            left join lateral (
                select v.name, v.claim_position, v.present
                from oracles_versions v
                where v.source_id = b.source_id
                    and v.oracle_id = b.oracle_id
                    and v.from_position <= s.position
                order by v.from_position desc
                limit 1
            ) o on o.present
            left join lateral (
                select v.identity_id, v.claim_position, v.present
                from wallet_owners_versions v
                where v.address_id = b.address_id
                    and v.from_position <= s.position
                order by v.from_position desc
                limit 1
            ) a on a.present
            left join identities i on i.identity_id = a.identity_id
            "#),
            "order by r.position desc"
            $(, $argument)*
        )?;
        let flags = rows.first().map_or((None, None), |row| (row.known, row.shown));
        let found = rows.into_iter().filter_map(|row| {
            let rejected = row.rejected_position.zip(row.rejected_at).map(|(position, at)| Rejected {
                position,
                reason: row.rejected_reason,
                time: rfc3339_micros(at),
            });
            let outcome = row.outcome?;
            Some(Found {
                was_accepted: outcome == ACCEPTED,
                oracle_position: row.oracle_position,
                owner: row.owner.map(hex::encode),
                owner_position: row.owner_position,
                owner_shown: row.owner_shown.unwrap_or_default(),
                owner_visibility: row.owner_visibility,
                submission: Submission {
                    submission_id: row.submission_id?,
                    kind: kind_name(row.is_rejection?),
                    status: if rejected.is_some() { REJECTED.to_owned() } else { outcome },
                    chain: row.chain?,
                    miner_address: row.miner_address?,
                    oracle_id: row.oracle_id,
                    oracle_registered: row.oracle_position.is_some(),
                    oracle_name: row.oracle_name,
                    oracle_verdict: verdict_name(row.oracle_verdict),
                    score: decimal(if rejected.is_some() { "0" } else { row.score.as_deref()? }),
                    unit: unit(row.work_type.as_deref()?),
                    work_type: row.work_type?,
                    credit: row.credit,
                    difficulty: row.difficulty,
                    reward: row.reward,
                    reward_unit: row.reward_unit,
                    project: row.project,
                    task_id: row.task_id,
                    submitted_at: row.submitted_at.map(rfc3339_micros),
                    validated_at: row.validated_at.map(rfc3339_micros),
                    block_height: row.block_height,
                    tx_id: row.tx_id,
                    time: rfc3339_micros(row.occurred_at?),
                    position: row.position?,
                    rejected,
                    reason: row.reason,
                },
            })
        });
        let found: Vec<Found> = found.collect();
        (at, flags, found)
    }};
}
pub(super) use submissions_at;

/// A record as read, with what a look at it alone shows besides.
#[derive(Debug)]
pub(super) struct Found {
    /// Whether it counted when it came.
    pub was_accepted: bool,
    /// Position of the registration of its oracle.
    pub oracle_position: Option<i64>,
    /// Identity that the miner's address belongs to, hex.
    pub owner: Option<String>,
    /// Position of the link that says so.
    pub owner_position: Option<i64>,
    /// Whether that identity shows its statistics now.
    pub owner_shown: bool,
    /// Who may see that identity's statistics now.
    pub owner_visibility: Option<String>,
    /// The record.
    pub submission: Submission,
}

/// Outcome of what counts.
pub(super) const ACCEPTED: &str = "accepted";
/// Status of what a rejection took out.
pub(super) const REJECTED: &str = "rejected";

pub(super) fn kind_name(is_rejection: bool) -> &'static str {
    if is_rejection { Kind::WorkRejected.name() } else { Kind::WorkSubmitted.name() }
}

/// What a score of a type counts, as records spell types.
pub(super) fn unit(work_type: &str) -> &'static str {
    Family::of_type(work_type).unwrap_or(Family::All).unit()
}
