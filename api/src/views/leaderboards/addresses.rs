//! The board of addresses: public facts of the chains, with the identity behind an address only where that is public.

use schema::event::Position;
use sqlx::PgConnection;

use super::page::{Board, Place, Read, Wanted, Whole, page};
use super::{as_kept, of_addresses, scored};
use crate::page::Described;
use crate::view::{At, Keep, LOG, Query, Stamp, Stamped};
use crate::views::addresses::stamped_by_address;
use crate::views::visibility::Shown;

/// One page of the board of addresses; the sort key of the next one is the last place.
#[derive(Debug, Clone)]
pub struct AddressBoard {
    /// What is wanted of it.
    pub wanted: Wanted,
    /// An address of a chain, canonical, which stands in the middle where no places are left out.
    pub around: Option<(i32, String)>,
}

/// The statement: `page_now`, or `page_then` with the number of its parameter.
macro_rules! addresses_at {
    ($then:ident $($use:literal)?, $db:expr, $at:expr, $score:literal $(, $argument:expr)* $(,)?) => {{
        let (at, rows) = of_addresses!(
            $then,
            $($use,)?
            $db,
            $at,
            AddressBoard::VIEWS,
            r#"
            r.clock as "clock?", r.starts_at as "starts_at?", r.complete as "complete?", r.ranked as "ranked?",
            r.ahead as "ahead?", r.skip as "skip?", r.exact as "exact?", r.rank as "rank?", r.identity_id as "identity_id?",
            r.display_name as "display_name?", r.miner_address as "miner_address?", r.chain as "chain?",
            r.score as "score?", r.accepted as "accepted?", r.last_at as "last_at?", r.parts as "parts?: Vec<String>",
            r.part_accepted as "part_accepted?: Vec<i64>", r.part_scores as "part_scores?: Vec<String>"
            "#,
            $score,
            "true",
            r#"
                w.clock, w.starts_at, w.complete, n.ranked, n.ahead, f.skip, f.exact,
                b.rank, a.identity_id, d.display_name, b.miner_address, src.name as chain, b.score::text as score,
                b.accepted, b.last_at, p.parts, p.part_accepted, p.part_scores
            "#,
            (r#"
                left join log.sources src on src.source_id = b.source_id
                left join lateral (
                    select v.identity_id, v.present
                    from wallet_owners_versions v
                    where v.address_id = b.address_id
                        and v.from_position <= s.position
                    order by v.from_position desc
                    limit 1
                ) a on a.present and log.shows_stats(a.identity_id)
                left join lateral (
                    select v.display_name
                    from identities_versions v
                    where v.identity_id = a.identity_id
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
                        from address_work_versions i
                        where i.source_id = b.source_id
                            and i.address_id = b.address_id
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
                miner_address: row.miner_address,
                chain: row.chain,
                score: row.score?,
                accepted: row.accepted?,
                last_at: row.last_at,
                parts: row.parts,
                part_accepted: row.part_accepted,
                part_scores: row.part_scores,
            })
        });
        let places: Vec<Read> = places.collect();
        (at, whole, places)
    }};
}

/// The number of an address, as the log knows its spelling.
async fn address_id(
    db: &mut PgConnection,
    at: At,
    source_id: i32,
    address: &str,
) -> sqlx::Result<(Stamp, Option<i64>)> {
    let (at, rows) = stamped_by_address!(
        db,
        at,
        AddressBoard::VIEWS,
        r#"r.subject_id as "subject_id?""#,
        "select a.subject_id from (select $4::text as asked) n",
        "",
        "",
        source_id,
        address,
    )?;
    Ok((at, rows.into_iter().next().and_then(|row| row.subject_id)))
}

impl Query for AddressBoard {
    /// The log too: it says under which spellings an address is known.
    const VIEWS: &'static [&'static str] = &["work", "wallets", "identities", "heads", "blocks", LOG];
    const KEEP: Keep = Keep::Visible;
    type Answer = Shown<Described<Board, Place>>;

    fn key(&self) -> String {
        format!("board by address:{}:{:?}", self.wanted.key(), self.around)
    }

    async fn run(&self, db: &mut PgConnection, mut at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        let wanted = &self.wanted;
        let is_now = at == At::Now;
        let (mut stamp, mut around, mut source_id) = (None, None, None);
        if let Some((chain, address)) = &self.around {
            let (found_at, found) = address_id(db, at, *chain, address).await?;
            // As of the position just read, so that both statements speak of the same moment.
            at = At::Position(Position(found_at.position));
            (stamp, around, source_id) = (Some(found_at), found, Some(*chain));
        }
        let (family, timeframe) = (wanted.family.name(), wanted.timeframe.name());
        let (skip, limit) = (wanted.skip, wanted.limit);
        let (read_at, whole, places) = as_kept!(
            is_now,
            scored!(
                wanted.timeframe,
                addresses_at,
                (page_now, db, at),
                around,
                timeframe,
                family,
                skip,
                limit,
                source_id
            ),
            |keeps| scored!(
                wanted.timeframe,
                addresses_at,
                (page_then "$9", db, at),
                around,
                timeframe,
                family,
                skip,
                limit,
                source_id,
                keeps
            ),
            |read| read.1.exact == Some(true),
        );
        let page = page(wanted, "address", self.around.is_some(), whole, places);
        Ok(Stamped { at: stamp.unwrap_or(read_at), value: Shown::Seen(page) })
    }
}
