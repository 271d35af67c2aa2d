//! Where somebody stands among the ranked, now, and which boards there are.
//!
//! A board is made of the current rows in the order of their index. Should the answer stand at a position behind them,
//! which it does only when a view has been set aside, the versions of then of those that have changed since replace them.
//! Boards as of a position that somebody names are made by [`super::then`].

/// A stamped statement about a board: `$3` is who is looked for (null for nobody), `$4` the timeframe, `$5` the type.
///
/// In reach of `select` and `joins` are `w` (see `stamped_in_window!`), `o` (the row of who is looked for; null columns
/// when not ranked), and `n`: `ranked`, `ahead` (how many stand before them; null when not ranked) and `exact`, true.
///
/// What comes first says which board, and is made by `of_identities!` or `of_addresses!`: `table` and `versions` name the
/// tables; `values` are columns of `i` for rows, `keys` columns of `c` and `same_key` their comparison of `i` with `k`,
/// `named` the comparison of `i` with `$3`, `ranked` whether `i` takes part, `behind` how ties between `x` and `o` are
/// broken, `order` the order of the board, and `about` further joins. The rest is for [`super::then`].
macro_rules! standing_now {
    (
        {
            table: $table:literal, versions: $versions:literal, values: $values:literal, keys: $keys:literal,
            same_key: $same_key:literal, named: $named:literal, ranked: $ranked:literal, behind: $behind:literal,
            order: $_:literal, about: $about:literal, then: $__:tt $(,)?
        },
        $db:expr, $at:expr, $views:expr, $columns:literal, $score:literal, $select:literal, ($($joins:tt)*), $order:literal
        $(, $argument:expr)* $(,)?
    ) => {
        $crate::views::work::stamped_in_window!(
            $db,
            $at,
            $views,
            $columns,
            (r#"
                , later as materialized (
                    select "# + $values + r#", i.score
                    from (
                        select distinct "# + $keys + " from " + $versions + r#" c
                        where c.work_type = $5
                            and c.from_position > s.position
                    ) k
                    cross join lateral (
                        select "# + $values + ", " + $ranked + " as ranked, i." + $score + r#" as score, i.present
                        from "# + $versions + r#" i
                        where "# + $same_key + r#"
                            and i.work_type = $5
                            and i.from_position <= s.position
                        order by i.from_position desc
                        limit 1
                    ) i
                    where i.present
                        and i.ranked
                        and i.score > 0
                )
            "#),
            ($select + r#"
                from w
                left join lateral (
                    select "# + $values + ", " + $ranked + " as ranked, i." + $score + r#" as score, i.present
                    from "# + $versions + r#" i
                    where "# + $named + r#"
                        and i.work_type = $5
                        and i.from_position <= s.position
                    order by i.from_position desc
                    limit 1
                ) o on o.present and o.ranked and o.score > 0
                cross join lateral (
                    select count(*) as ranked, case when o.score is not null then count(*) filter (
                        where x.score > o.score or (x.score = o.score and "# + $behind + r#")
                    ) end as ahead, true as exact
                    from (
                        select "# + $values + ", i." + $score + r#" as score
                        from "# + $table + r#" i
                        where i.work_type = $5
                            and "# + $ranked + " and i." + $score + r#" > 0
                            and i.from_position <= s.position
                        union all
                        select "# + $values + r#", i.score
                        from later i
                    ) x
                ) n
            "# + $about + $($joins)*),
            $order
            $(, $argument)*
        )
    };
}
pub(crate) use standing_now;

/// A stamped statement about one page of a board: as [`standing_now`], and further in reach `f` (`skip`, the places left
/// out, and `exact`) and `b`, the places of the page with their `rank`. `$6` is how many places to leave out (null puts the
/// one looked for in the middle), `$7` how many to show; `shown` says of `b` whether it may be seen.
macro_rules! page_now {
    (
        {
            table: $table:literal, versions: $versions:literal, values: $values:literal, keys: $keys:literal,
            same_key: $same_key:literal, named: $named:literal, ranked: $ranked:literal, behind: $behind:literal,
            order: $order:literal, about: $about:literal, then: $then:tt $(,)?
        },
        $db:expr, $at:expr, $views:expr, $columns:literal, $score:literal, $shown:literal, $select:literal,
        ($($joins:tt)+) $(, $argument:expr)* $(,)?
    ) => {
        $crate::views::leaderboards::standing_now!(
            {
                table: $table, versions: $versions, values: $values, keys: $keys, same_key: $same_key, named: $named,
                ranked: $ranked, behind: $behind, order: $order, about: $about, then: $then,
            },
            $db,
            $at,
            $views,
            $columns,
            $score,
            $select,
            (r#"
                cross join lateral (
                    select coalesce($6, greatest(0, least(n.ahead - ($7::bigint - 1) / 2, n.ranked - $7))) as skip,
                        true as exact
                ) f
                left join lateral (
                    select x.*, row_number() over (order by "# + $order + r#") as rank
                    from (
                        -- No more rows than are needed, in the order of the index.
                        (
                            select "# + $values + ", i." + $score + r#" as score
                            from "# + $table + r#" i
                            where i.work_type = $5
                                and "# + $ranked + " and i." + $score + r#" > 0
                                and i.from_position <= s.position
                            order by "# + $order + r#"
                            limit f.skip + $7
                        )
                        union all
                        select "# + $values + r#", i.score
                        from later i
                    ) x
                    order by "# + $order + r#"
                    limit f.skip + $7
                ) b on b.rank > f.skip and "# + $shown + $($joins)+),
            "order by r.rank"
            $(, $argument)*
        )
    };
}
pub(crate) use page_now;

/// One of the statements above about the board of identities. Beside it `m` says of `$3` whether it is `known` at the
/// position and `shown` now.
macro_rules! of_identities {
    ($then:ident, $($rest:tt)*) => {
        $crate::views::leaderboards::$then!(
            {
                table: "identity_work",
                versions: "identity_work_versions",
                values: "i.identity_id, i.accepted, i.last_at",
                keys: "c.identity_id",
                same_key: "i.identity_id = k.identity_id",
                named: "i.identity_id = $3",
                ranked: "i.ranked",
                behind: "(x.last_at, x.identity_id) < (o.last_at, o.identity_id)",
                order: "score desc, last_at, identity_id",
                about: r#"
                    cross join lateral (
                        select log.shows_stats($3) as shown, coalesce((
                            select v.present
                            from identities_versions v
                            where v.identity_id = $3
                                and v.from_position <= s.position
                            order by v.from_position desc
                            limit 1
                        ), false) as known
                    ) m
                "#,
                then: {
                    boards: "identity_boards",
                    members: "c.identities",
                    member: "i.identity_id",
                    place: "i.identity_id = x.member",
                    was: "i.identity_id = m.member",
                    tie: "i.identity_id as tie, 0 as tie_source",
                    kept_tie: "u.member, 0",
                    nobody: "$3::bytea is null",
                },
            },
            $($rest)*
        )
    };
}
pub(crate) use of_identities;

/// One of the statements above about the board of addresses; `$3` is the address in `log.subjects`, `$8` its source.
macro_rules! of_addresses {
    ($then:ident, $($rest:tt)*) => {
        $crate::views::leaderboards::$then!(
            {
                table: "address_work",
                versions: "address_work_versions",
                values: "i.source_id, i.address_id, i.miner_address, i.accepted, i.last_at",
                keys: "c.source_id, c.address_id",
                same_key: "i.source_id = k.source_id and i.address_id = k.address_id",
                named: "i.source_id = $8 and i.address_id = $3",
                ranked: "true",
                behind: r#"
                    (x.last_at, x.miner_address collate "C", x.source_id)
                        < (o.last_at, o.miner_address collate "C", o.source_id)
                "#,
                order: r#"score desc, last_at, miner_address collate "C", source_id"#,
                about: "",
                then: {
                    boards: "address_boards",
                    members: "c.addresses",
                    member: "i.address_id",
                    place: r#"
                        i.address_id = x.member
                            and i.source_id = (select z.source_id from log.subjects z where z.subject_id = x.member)
                    "#,
                    was: "i.source_id = m.tie_source and i.address_id = m.member",
                    tie: r#"i.miner_address collate "C" as tie, i.source_id as tie_source"#,
                    // Looked up only where it matters: among those that stand still the order is that of the board.
                    kept_tie: r#"
                        case when (u.score, u.last_at) in (select m.score, m.last_at from moved m where m.stands) then
                            (select z.subject from log.subjects z where z.subject_id = u.member)
                        end collate "C",
                        case when (u.score, u.last_at) in (select m.score, m.last_at from moved m where m.stands) then
                            (select z.source_id from log.subjects z where z.subject_id = u.member)
                        end
                    "#,
                    nobody: "$3::bigint is null",
                },
            },
            $($rest)*
        )
    };
}
pub(crate) use of_addresses;

/// One of the statements of a module, by the column that holds the score of a timeframe.
macro_rules! scored {
    ($timeframe:expr, $statement:ident, ($($first:tt)*) $(, $argument:expr)* $(,)?) => {
        match $timeframe {
            $crate::views::work::Timeframe::Day => $statement!($($first)*, "score_day" $(, $argument)*),
            $crate::views::work::Timeframe::Week => $statement!($($first)*, "score_week" $(, $argument)*),
            $crate::views::work::Timeframe::Month => $statement!($($first)*, "score_month" $(, $argument)*),
            $crate::views::work::Timeframe::All => $statement!($($first)*, "score" $(, $argument)*),
        }
    };
}
pub(crate) use scored;

/// What is asked now; or as of a position with the board that was kept, and where that does not reach far enough once more
/// without it, which is always right. `$exact` says of `$read` whether it can be relied on.
macro_rules! as_kept {
    ($is_now:expr, $now:expr, |$keeps:ident| $then:expr, |$read:ident| $exact:expr $(,)?) => {
        if $is_now {
            $now
        } else {
            let mut $keeps = true;
            loop {
                let $read = $then;
                if $exact || !$keeps {
                    break $read;
                }
                $keeps = false;
            }
        }
    };
}
pub(crate) use as_kept;
