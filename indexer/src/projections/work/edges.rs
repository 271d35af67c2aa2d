//! When was a total's first and last submission? That is known without looking, until a rejection takes out one of the
//! two: then the next one is needed, and for that the rows at both ends of the total.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use schema::store::StoreError;
use sqlx::PgConnection;

use super::Work;
use super::needs::Needs;
use super::score::{ALL, hour_of, totals_of};
use super::totals::{Edge, HourKey};

/// Rows looked at beyond those that are needed, since some of them no longer stand or were taken out before.
const SPARE_ROWS: i64 = 4;
/// Rows of one total that are looked at together, unless more are needed.
const LOOK_MAX: i64 = 4_096;

/// A miner in `log.subjects`, and the type, family or `all` that a total is of.
type TotalKey = (i64, String);

/// What a batch may take from a total.
#[derive(Debug, Default)]
pub(super) struct Loss {
    /// Submissions at most.
    number: i64,
    /// Times of those that were accepted before the batch.
    times: BTreeSet<DateTime<Utc>>,
    /// Whether some may be accepted in the batch itself.
    is_of_batch: bool,
}

/// Which totals a batch may take something from. Buckets and miners of what may be taken out are needed with them.
pub(super) fn losses(work: &Work, needs: &mut Needs) -> BTreeMap<TotalKey, Loss> {
    let mut losses: BTreeMap<TotalKey, Loss> = BTreeMap::new();
    let mut note = |address_id: i64, work_type: &str, time: Option<DateTime<Utc>>| {
        for total in totals_of(work_type) {
            let loss = losses.entry((address_id, total.to_owned())).or_default();
            // An id is taken out once at most: it stays taken.
            loss.number += 1;
            loss.times.extend(time);
            loss.is_of_batch |= time.is_none();
        }
    };
    for key in &needs.rejections {
        if let Some(accepted) = work.submissions.accepted(key) {
            note(accepted.address_id, &accepted.work_type, Some(accepted.occurred_at));
            needs.addresses.insert(accepted.address_id);
            needs.hours.insert(HourKey {
                source_id: key.0,
                address_id: accepted.address_id,
                work_type: accepted.work_type.clone(),
                hour: hour_of(accepted.occurred_at),
            });
        } else {
            for (address_id, work_type) in needs.submitted.get(key).into_iter().flatten() {
                note(*address_id, work_type, None);
            }
        }
    }
    losses
}

/// Reads the oldest and the newest submissions of each total that may lose its first or last one: one more of each than it
/// may lose, so that both stay known whatever the batch takes. The rows of the miners must have been loaded.
pub(super) async fn load(
    work: &mut Work,
    db: &mut PgConnection,
    losses: BTreeMap<TotalKey, Loss>,
) -> Result<(), StoreError> {
    let touched = losses.into_iter().filter(|(key, loss)| loss.is_of_batch || is_at_an_end(work, key, loss));
    let needed: Vec<(TotalKey, i64)> = touched.map(|(key, loss)| (key, loss.number + 1)).collect();
    let mut edges: BTreeMap<TotalKey, Edge> = needed.iter().map(|(key, _)| (key.clone(), Edge::new())).collect();
    for end in [End::Oldest, End::Newest] {
        let searches = needed.iter().flat_map(|(key, needed)| searches_of(work, end, key, *needed)).collect();
        search(db, end, searches, &mut edges).await?;
    }
    for ((address_id, total), edge) in edges {
        work.totals.expect_removal(address_id, total, edge);
    }
    Ok(())
}

/// Whether one of the submissions may be the first or the last: who is either has its time.
fn is_at_an_end(work: &Work, (address_id, total): &TotalKey, loss: &Loss) -> bool {
    let mut rows = work.totals.of_address(*address_id).filter(|(row, _)| row.work_type == *total);
    rows.any(|(_, row)| [row.first_at, row.last_at].iter().flatten().any(|time| loss.times.contains(time)))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Oldest,
    Newest,
}

/// A total, or one type of work in a family's, that is being searched from one of its ends.
#[derive(Debug)]
struct Search<'a> {
    key: &'a TotalKey,
    /// The type of work as records spell it; none for any.
    work_type: Option<String>,
    /// Submissions that are still to be found.
    needed: i64,
    /// Where the last look ended.
    beyond: i64,
    /// Rows to look at next.
    rows: i64,
}

/// The searches for the ends of a total: each of its types by itself, so that what the miner does besides is not looked at.
fn searches_of<'a>(work: &Work, end: End, key: &'a TotalKey, needed: i64) -> Vec<Search<'a>> {
    let (address_id, total) = key;
    let types = if total == ALL {
        vec![None]
    } else {
        let types = work.totals.of_address(*address_id).map(|(row, _)| &row.work_type);
        types.filter(|work_type| totals_of(work_type).any(|of| of == total)).cloned().map(Some).collect()
    };
    let beyond = if end == End::Oldest { 0 } else { i64::MAX };
    let search = |work_type| Search { key, work_type, needed, beyond, rows: needed + SPARE_ROWS };
    types.into_iter().map(search).collect()
}

/// Looks at ever more rows of each search until enough of them count.
async fn search(
    db: &mut PgConnection,
    end: End,
    mut searches: Vec<Search<'_>>,
    edges: &mut BTreeMap<TotalKey, Edge>,
) -> Result<(), StoreError> {
    while !searches.is_empty() {
        let mut looks = look(db, end, &searches).await?.into_iter().peekable();
        let mut unfinished = Vec::new();
        for (nth, mut search) in searches.into_iter().enumerate() {
            let mut seen = 0;
            while let Some(row) = looks.next_if(|row| row.nth == nth) {
                seen += 1;
                search.beyond = row.position;
                if row.counts {
                    search.needed -= 1;
                    edges.entry(search.key.clone()).or_default().insert(row.position, row.occurred_at);
                }
            }
            if search.needed > 0 && seen == search.rows {
                search.rows = (2 * search.rows).min(LOOK_MAX.max(search.needed));
                unfinished.push(search);
            }
        }
        searches = unfinished;
    }
    Ok(())
}

/// A row of a total.
struct Looked {
    nth: usize,
    position: i64,
    occurred_at: DateTime<Utc>,
    /// Whether it stands and no rejection that stands has taken it out.
    counts: bool,
}

macro_rules! look {
    ($db:expr, $addresses:expr, $types:expr, $is_any:expr, $beyond:expr, $rows:expr, $further:literal, $order:literal) => {{
        let rows = sqlx::query!(
            r#"
            select
                wanted.nth as "nth!",
                edge.position as "position!",
                edge.occurred_at as "occurred_at!",
                log.stands(edge.source_id, edge.position, (select position from watermark)) and (
                    select count(*)
                    from work_submissions r
                    where r.accepted_position = edge.position
                        and log.stands(r.source_id, r.position, (select position from watermark))
                ) = 0 as "counts!"
            from unnest($1::bigint[], $2::text[], $3::boolean[], $4::bigint[], $5::bigint[])
                with ordinality as wanted (address_id, work_type, is_any, beyond, number, nth)
            cross join lateral (
                (
                    select s.source_id, s.position, s.occurred_at
                    from work_submissions s
                    where not wanted.is_any
                        and s.address_id = wanted.address_id
                        and s.work_type = wanted.work_type
                        and s.outcome = 'accepted'
                        and s.position "#
                + $further
                + r#" wanted.beyond
                    order by s.position "#
                + $order
                + r#"
                    limit wanted.number
                )
                union all
                (
                    select s.source_id, s.position, s.occurred_at
                    from work_submissions s
                    where wanted.is_any
                        and s.address_id = wanted.address_id
                        and s.outcome = 'accepted'
                        and s.position "#
                + $further
                + r#" wanted.beyond
                    order by s.position "#
                + $order
                + r#"
                    limit wanted.number
                )
            ) edge
            order by wanted.nth, edge.position "#
                + $order,
            $addresses,
            $types,
            $is_any,
            $beyond,
            $rows
        )
        .fetch_all($db)
        .await?;
        let looked = rows.into_iter().map(|row| Looked {
            nth: usize::try_from(row.nth - 1).expect("ordinality begins at 1"),
            position: row.position,
            occurred_at: row.occurred_at,
            counts: row.counts,
        });
        looked.collect()
    }};
}

/// The next rows of each search, in the order of the searches.
async fn look(db: &mut PgConnection, end: End, searches: &[Search<'_>]) -> Result<Vec<Looked>, StoreError> {
    let addresses: Vec<i64> = searches.iter().map(|search| search.key.0).collect();
    let types: Vec<String> = searches.iter().map(|search| search.work_type.clone().unwrap_or_default()).collect();
    let is_any: Vec<bool> = searches.iter().map(|search| search.work_type.is_none()).collect();
    let beyond: Vec<i64> = searches.iter().map(|search| search.beyond).collect();
    let rows: Vec<i64> = searches.iter().map(|search| search.rows).collect();
    Ok(match end {
        End::Oldest => look!(db, &addresses, &types, &is_any, &beyond, &rows, ">", "asc"),
        End::Newest => look!(db, &addresses, &types, &is_any, &beyond, &rows, "<", "desc"),
    })
}
