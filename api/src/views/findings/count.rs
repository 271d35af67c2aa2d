//! How many findings there are, where no index leads to few of them.
//!
//! What stands now and has not changed since stood at the position too; only what changed since is looked up, one by one.

use sqlx::PgConnection;

use super::Findings;
use super::read::Given;
use crate::view::{At, Query, stamped};

/// Counts the findings of all three tables by code, source and whether they count; at most `most` of them.
pub(super) async fn standing(db: &mut PgConnection, at: At, given: &Given<'_>, most: i64) -> sqlx::Result<i64> {
    let (_, rows) = stamped!(
        db,
        at,
        Findings::VIEWS,
        r#"r.counted as "counted?""#,
        r#"
            select count(*) as counted
            from (
                select 1
                from (
                    select v.source_id, v.code, v.counts
                    from findings v
                    where v.from_position <= s.position
                    union all
                    select v.source_id, v.code, v.counts
                    from (
                        select distinct c.source_id, c.event_position, c.code
                        from findings_versions c
                        where c.from_position > s.position
                    ) c
                    cross join lateral (
                        select v.source_id, v.code, v.counts, v.present
                        from findings_versions v
                        where v.source_id = c.source_id
                            and v.event_position = c.event_position
                            and v.code = c.code
                            and v.from_position <= s.position
                        order by v.from_position desc
                        limit 1
                    ) v
                    where v.present
                    union all
                    select v.event_source_id, 'wallet-contested', false
                    from contested_wallets v
                    where v.from_position <= s.position
                    union all
                    select v.event_source_id, 'wallet-contested', false
                    from (
                        select distinct c.event_position
                        from contested_wallets_versions c
                        where c.from_position > s.position
                    ) c
                    cross join lateral (
                        select v.event_source_id, v.present
                        from contested_wallets_versions v
                        where v.event_position = c.event_position
                            and v.from_position <= s.position
                        order by v.from_position desc
                        limit 1
                    ) v
                    where v.present
                    union all
                    select v.event_source_id, 'registered-elsewhere', true
                    from contested_identities v
                    where v.from_position <= s.position
                    union all
                    select v.event_source_id, 'registered-elsewhere', true
                    from (
                        select distinct c.event_position
                        from contested_identities_versions c
                        where c.from_position > s.position
                    ) c
                    cross join lateral (
                        select v.event_source_id, v.present
                        from contested_identities_versions v
                        where v.event_position = c.event_position
                            and v.from_position <= s.position
                        order by v.from_position desc
                        limit 1
                    ) v
                    where v.present
                ) v
                where ($3::text[] is null or v.code = any($3))
                    and ($4::integer is null or v.source_id = $4)
                    and ($5::boolean is null or v.counts = $5)
                limit $6
            ) few
        "#,
        "",
        given.codes,
        given.source,
        given.counts,
        most,
    )?;
    Ok(rows.first().and_then(|row| row.counted).unwrap_or_default())
}
