//! The board of identities: whose statistics are public, by the work of all their addresses.

use schema::chain::IdentityId;
use sqlx::PgConnection;

use super::page::{Board, Place, Read, Wanted, Whole, page};
use super::{as_kept, of_identities, scored};
use crate::page::Described;
use crate::view::{At, Keep, Query, Stamped};
use crate::views::visibility::Shown;

/// One page of the board of identities; the sort key of the next one is the last place.
///
/// Identities are ranked whose statistics were public at the position, and shown that show them still.
#[derive(Debug, Clone)]
pub struct IdentityBoard {
    /// What is wanted of it.
    pub wanted: Wanted,
    /// Who must be known and shown, and stands in the middle where no places are left out.
    pub around: Option<IdentityId>,
}

/// The statement: `page_now`, or `page_then` with the number of its parameter.
macro_rules! identities_at {
    ($then:ident $($use:literal)?, $db:expr, $at:expr, $score:literal $(, $argument:expr)* $(,)?) => {{
        let (at, rows) = of_identities!(
            $then,
            $($use,)?
            $db,
            $at,
            IdentityBoard::VIEWS,
            r#"
            r.clock as "clock?", r.starts_at as "starts_at?", r.complete as "complete?", r.ranked as "ranked?",
            r.ahead as "ahead?", r.skip as "skip?", r.exact as "exact?", r.known as "known?", r.shown as "shown?", r.rank as "rank?",
            r.identity_id as "identity_id?", r.display_name as "display_name?", r.score as "score?",
            r.accepted as "accepted?", r.last_at as "last_at?", r.parts as "parts?: Vec<String>",
            r.part_accepted as "part_accepted?: Vec<i64>", r.part_scores as "part_scores?: Vec<String>"
            "#,
            $score,
            "log.shows_stats(b.identity_id)",
            r#"
                w.clock, w.starts_at, w.complete, n.ranked, n.ahead, f.skip, f.exact,
                m.known, m.shown, b.rank, b.identity_id, d.display_name, b.score::text as score, b.accepted, b.last_at,
                p.parts, p.part_accepted, p.part_scores
            "#,
            (r#"
                left join lateral (
                    select v.display_name
                    from identities_versions v
                    where v.identity_id = b.identity_id
                        and v.from_position <= s.position
                    order by v.from_position desc
                    limit 1
                ) d on true
                left join lateral (
                    select
                        array_agg(t.name) as parts, array_agg(v.accepted) as part_accepted,
                        array_agg(v.score::text) as part_scores
                    from unnest(array['boinc', 'nuw', 'bandwidth', 'compute', 'ceremony']) t (name)
                    cross join lateral (
                        select i.accepted, i."# + $score + r#" as score, i.present
                        from identity_work_versions i
                        where i.identity_id = b.identity_id
                            and i.work_type = t.name
                            and i.from_position <= s.position
                        order by i.from_position desc
                        limit 1
                    ) v
                    where v.present
                        and v.accepted > 0
                ) p on $5 = 'all'
            "#)
            $(, $argument)*
        )?;
        let Some(first) = rows.first() else { return Err(sqlx::Error::RowNotFound) };
        let (known, shown) = (first.known, first.shown);
        let whole = Whole {
            clock: first.clock,
            starts_at: first.starts_at,
            complete: first.complete,
            ranked: first.ranked,
            ahead: first.ahead,
            skip: first.skip,
            exact: first.exact,
        };
        let places = rows.into_iter().filter_map(|row| {
            Some(Read {
                rank: row.rank?,
                identity_id: row.identity_id,
                display_name: row.display_name,
                miner_address: None,
                chain: None,
                score: row.score?,
                accepted: row.accepted?,
                last_at: row.last_at,
                parts: row.parts,
                part_accepted: row.part_accepted,
                part_scores: row.part_scores,
            })
        });
        let places: Vec<Read> = places.collect();
        (at, known, shown, whole, places)
    }};
}

impl Query for IdentityBoard {
    const VIEWS: &'static [&'static str] = &["work", "identities", "heads", "blocks"];
    const KEEP: Keep = Keep::Visible;
    type Answer = Shown<Described<Board, Place>>;

    fn key(&self) -> String {
        format!("board:{}:{:?}", self.wanted.key(), self.around.as_ref().map(ToString::to_string))
    }

    async fn run(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        let wanted = &self.wanted;
        let around = self.around.as_ref().map(|id| id.as_bytes().as_slice());
        let (family, timeframe) = (wanted.family.name(), wanted.timeframe.name());
        let (skip, limit) = (wanted.skip, wanted.limit);
        let (at, known, shown, whole, places) = as_kept!(
            at == At::Now,
            scored!(wanted.timeframe, identities_at, (page_now, db, at), around, timeframe, family, skip, limit),
            |keeps| scored!(wanted.timeframe, identities_at, (page_then "$8", db, at), around, timeframe, family, skip, limit, keeps),
            |read| read.3.exact == Some(true),
        );
        let answer = || page(wanted, "identity", around.is_some(), whole, places);
        let value = match around {
            Some(_) => Shown::when(known, shown, answer),
            None => Shown::Seen(answer()),
        };
        Ok(Stamped { at, value })
    }
}
