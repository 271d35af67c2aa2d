//! How many findings there are.
//!
//! What stands now and has not changed since stood at the position too, so the current rows are counted; only what changed
//! since is looked up, one by one. A finding is written with its event and changes only when a retraction takes the event
//! back, so an index of what is gone leads to those. What other sources decide comes and goes: of the two contested tables
//! every version since is read, a few for each contested claim.

use sqlx::PgConnection;

use super::Findings;
use super::read::{Given, Way};
use crate::view::{At, Query, stamped};

/// Counts the findings of all three tables, `$10` at most; what `$3` to `$9` ask for is as in `findings_at!`.
///
/// `names` are the subjects asked for at each source: the `own` number in the namespace asked for, and the numbers of
/// `others` that are called the same. `keys` is a from list with a `k` of them, null when no subject is asked for; `where`
/// leads from it to findings `v` by an index. `contested` is the same for the other tables, which hold only identities.
macro_rules! standing_at {
    (
        $db:expr, $at:expr, $given:ident, $most:expr, [$keys:literal, $where:literal],
        [$contested:literal, $contested_where:literal] $(,)?
    ) => {
        standing_at!(
            @each $db, $at, $given, $most, $keys, $where, $contested, $contested_where,
            [
                ("contested_wallets", "wallet-contested", "false"),
                ("contested_identities", "registered-elsewhere", "true")
            ]
        )
    };
    (
        @each $db:expr, $at:expr, $given:ident, $most:expr, $keys:literal, $where:literal, $contested:literal,
        $contested_where:literal, [$(($table:literal, $code:literal, $counts:literal)),+]
    ) => {
        stamped!(
            $db,
            $at,
            Findings::VIEWS,
            r#"r.counted as "counted?""#,
            (r#"
            with names as materialized (
                select
                    n.subject, src.source_id, (
                        select max(c.subject_id)
                        from log.subjects c
                        where c.namespace = $9
                            and c.subject = n.subject
                            and coalesce(c.source_id, src.source_id) = src.source_id
                    ) as own, array(
                        select c.subject_id
                        from log.subjects c
                        where c.namespace in (1, 2, 3, 4, 5)
                            and c.namespace <> $9
                            and c.subject = n.subject
                            and coalesce(c.source_id, src.source_id) = src.source_id
                    ) as others
                from unnest($6::text[]) n (subject)
                cross join log.sources src
            )
            select count(*) as counted
            from (
                select 1
                from (
                    select v.code, v.source_id, v.counts
                    from "#
                + $keys
                + r#"
                    cross join lateral (
                        select v.source_id, v.event_position, v.code, v.counts, v.height, v.subject
                        from findings v
                        where v.from_position <= s.position
                            and "#
                + $where
                + r#"
                        union all
                        select v.source_id, v.event_position, v.code, v.counts, v.height, v.subject
                        from (
                            select distinct c.source_id, c.event_position, c.code
                            from findings_versions c
                            where c.from_position > s.position
                                and c.event_position <= s.position
                                and not c.present
                        ) c
                        cross join lateral (
                            select v.source_id, v.event_position, v.code, v.counts, v.height, v.subject, v.present
                            from findings_versions v
                            where v.source_id = c.source_id
                                and v.event_position = c.event_position
                                and v.code = c.code
                                and v.from_position <= s.position
                            order by v.from_position desc
                            limit 1
                        ) v
                        where v.present
                            and "#
                + $where
                + r#"
                    ) v
                    where ($8::bigint is null or v.height = $8)
                        and (k.subject is null or (
                            v.subject = k.subject
                            and v.source_id = k.source_id
                            and (
                                exists (
                                    select 1
                                    from log.event_subjects es
                                    where es.subject_id = k.own
                                        and es.position = v.event_position
                                )
                                or ($9::smallint = 1 and not exists (
                                    select 1
                                    from log.event_subjects es
                                    where es.subject_id = any(k.others)
                                        and es.position = v.event_position
                                ))
                            )
                        ))
"#
                $(+ r#"
                    union all
                    select '"# + $code + "', v.event_source_id, " + $counts + r#"
                    from "# + $contested + r#"
                    cross join lateral (
                        select v.event_source_id, v.event_position, v.identity_id
                        from "# + $table + r#" v
                        where v.from_position <= s.position
                            and "# + $contested_where + r#"
                        union all
                        select v.event_source_id, v.event_position, v.identity_id
                        from (
                            select distinct c.event_position
                            from "# + $table + r#"_versions c
                            where c.from_position > s.position
                                and c.event_position <= s.position
                        ) c
                        cross join lateral (
                            select v.event_source_id, v.event_position, v.identity_id, v.present
                            from "# + $table + r#"_versions v
                            where v.event_position = c.event_position
                                and v.from_position <= s.position
                            order by v.from_position desc
                            limit 1
                        ) v
                        where v.present
                            and "# + $contested_where + r#"
                    ) v
                    where ($6::text[] is null or v.identity_id = $7)"#)+
                + r#"
                ) v
                where ($3::text[] is null or v.code = any($3))
                    and ($4::integer is null or v.source_id = $4)
                    and ($5::boolean is null or v.counts = $5)
                limit $10
            ) few
            "#),
            "",
            $given.codes,
            $given.source,
            $given.counts,
            $given.subjects,
            $given.identity,
            $given.height,
            $given.namespace,
            $most,
        )
    };
}

/// How many of the findings asked for stood; at most `most` of them.
pub(super) async fn standing(
    db: &mut PgConnection,
    at: At,
    way: Way,
    given: &Given<'_>,
    most: i64,
) -> sqlx::Result<i64> {
    let counted = match way {
        Way::Height => standing_at!(
            db,
            at,
            given,
            most,
            [
                r#"(
                        select u.first_position, u.end_position
                        from log.log_units u
                        where u.source_id = $4
                            and u.height = $8
                            and u.end_position <= s.position
                        offset 0
                    ) u
                    left join names k on true"#,
                "v.source_id = $4 and v.event_position between u.first_position and u.end_position"
            ],
            [
                r#"(
                        select u.first_position, u.end_position
                        from log.log_units u
                        where u.source_id = $4
                            and u.height = $8
                            and u.end_position <= s.position
                        offset 0
                    ) k"#,
                "v.event_position between k.first_position and k.end_position"
            ],
        )
        .map(|(_, rows)| rows.first().and_then(|row| row.counted)),
        Way::Subject => standing_at!(
            db,
            at,
            given,
            most,
            ["names k", "v.subject = k.subject and v.source_id = k.source_id"],
            ["(select 1) k", "v.identity_id = $7"],
        )
        .map(|(_, rows)| rows.first().and_then(|row| row.counted)),
        Way::Code | Way::Source | Way::All => standing_at!(
            db,
            at,
            given,
            most,
            ["(select 1) one left join names k on true", "true"],
            ["(select 1) k", "true"],
        )
        .map(|(_, rows)| rows.first().and_then(|row| row.counted)),
    };
    Ok(counted?.unwrap_or_default())
}
