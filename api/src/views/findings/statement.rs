//! What all pages of findings share: how the three tables are read, and what is asked of their rows.

/// Findings of all three tables: `$3` are the codes, `$4` the source, `$5` whether they count, `$6` the subjects, `$7` the
/// identity, `$8` the height, `$9` the namespace of the subjects, each null when it does not matter; what follows is for
/// `scan` and `end`.
///
/// A finding names its subject without a namespace, and whoever writes an event chooses the names of what it is about: an
/// oracle may be called like somebody's identity. So the event itself must be about the subject, as one of its namespace;
/// but who sent what nobody but the origin may send is an address that the event is not about.
///
/// `way` is a from list and a condition that lead to the versions `v` of findings, `scan` the rest of the select that reads
/// them and `end` of the one that leaves those that held and are asked for; `contested` is the same for either of the other
/// tables.
macro_rules! findings_at {
    (
        $db:expr, $at:expr, $columns:literal, $before:literal, [$way:literal, $where:literal, $scan:literal, $end:literal],
        [$contested:literal, $contested_where:literal, $contested_scan:literal, $contested_end:literal], $after:literal,
        $order:literal $(, $argument:expr)* $(,)?
    ) => {
        stamped!(
            $db,
            $at,
            Findings::VIEWS,
            $columns,
            ($before + r#"
            (
                select v.event_position, v.code, v.detail, v.counts, v.subject
                from "# + $way + r#"
                cross join lateral (
                    select v.event_position, v.code, v.detail, v.counts, v.subject
                    from (
                        select
                            v.source_id, v.event_position, v.code, v.detail, v.counts, v.subject, v.height, v.from_position,
                            v.present
                        from findings_versions v
                        where "# + $where + " " + $scan + r#"
                    ) v
                    where v.present
                        and v.from_position = (
                            select max(n.from_position)
                            from findings_versions n
                            where n.source_id = v.source_id
                                and n.event_position = v.event_position
                                and n.code = v.code
                                and n.from_position <= s.position
                        )
                        and ($3::text[] is null or v.code = any($3))
                        and ($4::integer is null or v.source_id = $4)
                        and ($5::boolean is null or v.counts = $5)
                        and (
                            $6::text[] is null
                            or (
                                v.subject = any($6)
                                and coalesce(
                                    (
                                        select bool_or(c.namespace = $9)
                                        from log.event_subjects es
                                        join log.subjects c on c.subject_id = es.subject_id
                                        where es.position = v.event_position
                                            and c.subject = v.subject
                                    ),
                                    $9::smallint = 1
                                )
                            )
                        )
                        and ($8::bigint is null or v.height = $8)
                    "# + $end + r#"
                ) v
            )
            union all
            (
                select v.event_position, 'wallet-contested', v.detail, false, encode(v.identity_id, 'hex')
                from "# + $contested + r#"
                cross join lateral (
                    select v.event_position, v.detail, v.identity_id
                    from (
                        select v.event_source_id, v.event_position, v.detail, v.identity_id, v.from_position, v.present
                        from contested_wallets_versions v
                        where "# + $contested_where + " " + $contested_scan + r#"
                    ) v
                    where v.present
                        and v.from_position = (
                            select max(n.from_position)
                            from contested_wallets_versions n
                            where n.event_position = v.event_position
                                and n.from_position <= s.position
                        )
                        and ($3::text[] is null or 'wallet-contested' = any($3))
                        and ($4::integer is null or v.event_source_id = $4)
                        and ($5::boolean is null or not $5)
                        and ($6::text[] is null or v.identity_id = $7)
                    "# + $contested_end + r#"
                ) v
            )
            union all
            (
                select v.event_position, 'registered-elsewhere', v.detail, true, encode(v.identity_id, 'hex')
                from "# + $contested + r#"
                cross join lateral (
                    select v.event_position, v.detail, v.identity_id
                    from (
                        select v.event_source_id, v.event_position, v.detail, v.identity_id, v.from_position, v.present
                        from contested_identities_versions v
                        where "# + $contested_where + " " + $contested_scan + r#"
                    ) v
                    where v.present
                        and v.from_position = (
                            select max(n.from_position)
                            from contested_identities_versions n
                            where n.event_position = v.event_position
                                and n.from_position <= s.position
                        )
                        and ($3::text[] is null or 'registered-elsewhere' = any($3))
                        and ($4::integer is null or v.event_source_id = $4)
                        and ($5::boolean is null or $5)
                        and ($6::text[] is null or v.identity_id = $7)
                    "# + $contested_end + r#"
                ) v
            )
            "# + $after),
            $order
            $(, $argument)*
        )
    };
}
pub(super) use findings_at;
