//! Boards as of a position.
//!
//! At the first block of every day, and every so many positions, the boards are kept, up to so many places. A board as of a
//! position is the newest of them before it, without those that have changed since, and these as they stood at the position.
//! So the cost is what has changed since that board, however long ago that was and however much has happened since. Behind
//! the places that are kept nothing is known of those that did not change: whoever asks about that is told so, and asks again
//! without the kept board, which reads everybody and looks up those that have changed since the position.

/// As [`super::standing_now`], as of a position. `$use` is a parameter, whether to begin with the board that was kept;
/// `exact` is whether `ahead` can be relied on. More names of what it is made of are in reach: `base` (that board), `entries`
/// (its places), `moved` (who has changed since, as they stood then, and whether they had a place before), and `board` (all
/// places that are known, with `rank` and whether they come `before_cut`: before anybody who is not known).
macro_rules! standing_then {
    ($board:tt, $use:literal, $($rest:tt)*) => {
        $crate::views::leaderboards::places_then!($board, $use, ("null::bigint"), $($rest)*)
    };
}
pub(crate) use standing_then;

/// What [`standing_then`] and [`page_then`] are made of; `$top` is how many places of `board` are wanted, null for all.
macro_rules! places_then {
    (
        {
            table: $table:literal, versions: $versions:literal, values: $values:literal, keys: $keys:literal,
            same_key: $same_key:literal, named: $named:literal, ranked: $ranked:literal, behind: $_:literal,
            order: $__:literal, about: $about:literal,
            then: {
                boards: $boards:literal, members: $members:literal, member: $member:literal, place: $place:literal,
                was: $was:literal, tie: $tie:literal, kept_tie: $kept_tie:literal, nobody: $nobody:literal $(,)?
            } $(,)?
        },
        $use:literal, ($($top:literal)+), $db:expr, $at:expr, $views:expr, $columns:literal, $score:literal, $select:literal,
        ($($joins:tt)*), $order:literal $(, $argument:expr)* $(,)?
    ) => {
        $crate::views::work::stamped_in_window!(
            $db,
            $at,
            $views,
            $columns,
            (r#"
                , base as materialized (
                    select
                        c.position, c.ranked, "# + $members + " as members, c.scores, c.last_ats,
                        cardinality(" + $members + ") as places, c.ranked <= cardinality(" + $members + r#") as is_whole
                    from "# + $boards + r#" c
                    where "# + $use + r#"::boolean
                        and c.work_type = $5
                        and c.timeframe = $4
                        and c.position <= s.position
                    order by c.position desc
                    limit 1
                ), entries as materialized (
                    select u.member, u.score, u.last_at, u.place
                    from base c
                    cross join lateral unnest(c.members, c.scores, c.last_ats)
                        with ordinality u (member, score, last_at, place)
                ), touched as materialized (
                    select
                        "# + $member + " as member, i.score, i.last_at, " + $tie + r#",
                        coalesce(i.present and i.ranked and i.score > 0, false) as stands
                    from (
                        (
                            -- The versions made since are all there is to read: the last of each key is that of then.
                            select distinct on ("# + $member + ") " + $values + ", " + $ranked + r#" as ranked,
                                i."# + $score + r#" as score, i.present
                            from "# + $versions + r#" i
                            where "# + $use + r#"::boolean
                                and i.work_type = $5
                                and i.from_position > coalesce((select b.position from base b), 0)
                                and i.from_position <= s.position
                            order by "# + $member + r#", i.from_position desc
                        )
                        union all
                        -- Without a board: everybody, looked up where the current row is of a later moment.
                        select "# + $values + ", " + $ranked + " as ranked, i." + $score + r#" as score, true
                        from "# + $table + r#" i
                        where not "# + $use + r#"::boolean
                            and i.work_type = $5
                            and i.from_position <= s.position
                        union all
                        select i.*
                        from (
                            select "# + $keys + " from " + $table + r#" c
                            where not "# + $use + r#"::boolean
                                and c.work_type = $5
                                and c.from_position > s.position
                            union
                            select "# + $keys + " from " + $versions + r#" c
                            where not "# + $use + r#"::boolean
                                and c.work_type = $5
                                and not c.present
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
                    ) i
                ), moved as materialized (
                    -- Looked up in a hash table of the places kept: as a join it would be made for each row anew.
                    select m.*, case
                        when m.member in (select u.member from entries u) then true
                        -- Who was not among the places kept may have stood behind them.
                        when (select b.is_whole from base b) is false then coalesce((
                            select i.present and "# + $ranked + " and i." + $score + r#" > 0
                            from "# + $versions + r#" i
                            where "# + $was + r#"
                                and i.work_type = $5
                                and i.from_position <= (select b.position from base b)
                            order by i.from_position desc
                            limit 1
                        ), false)
                        else false
                    end as was
                    from touched m
                ), cut as materialized (
                    select b.is_whole, b.scores[b.places] as score, b.last_ats[b.places] as last_at
                    from base b
                ), placed as materialized (
                    select x.*, row_number() over (
                        order by x.score desc, x.last_at, x.tie, x.tie_source, x.place
                    ) as rank
                    from (
                        select m.member, m.score, m.last_at, m.tie, m.tie_source, null::bigint as place
                        from moved m
                        where m.stands
                        union all
                        select u.member, u.score, u.last_at, "# + $kept_tie + r#", u.place
                        from entries u
                        left join moved m on m.member = u.member
                        where m.member is null
                            -- Behind so many that stayed nobody is among the places that are wanted.
                            and (("# $(+ $top)+ + ") is null or u.place <= (" $(+ $top)+ + r#") + (select count(*) from moved k))
                    ) x
                    order by x.score desc, x.last_at, x.tie, x.tie_source, x.place
                    limit "# $(+ $top)+ + r#"
                ), board as materialized (
                    -- Whoever is not known did not change, and stands behind the last place that was kept.
                    select x.*, e.is_whole is not false
                        or coalesce(x.rank <= (select max(k.rank) from placed k where k.place is not null), false)
                        or coalesce(x.score > e.score or (x.score = e.score and x.last_at < e.last_at), false) as before_cut
                    from placed x
                    left join cut e on true
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
                    select coalesce((select b.ranked from base b), 0) + (
                        select count(*) filter (where m.stands) - count(*) filter (where m.was)
                        from moved m
                    ) as ranked, p.ahead, o.score is null or coalesce(p.before_cut, false) as exact
                    from (select 1) one
                    left join (
                        select x.rank - 1 as ahead, x.before_cut
                        from board x
                        where x.member = $3
                    ) p on o.score is not null
                ) n
            "# + $about + $($joins)*),
            $order
            $(, $argument)*
        )
    };
}
pub(crate) use places_then;

/// As [`super::page_now`], as of a position; `f.exact` is whether the places of the page can be relied on.
macro_rules! page_then {
    (
        {
            table: $table:literal, versions: $versions:literal, values: $values:literal, keys: $keys:literal,
            same_key: $same_key:literal, named: $named:literal, ranked: $ranked:literal, behind: $behind:literal,
            order: $order:literal, about: $about:literal,
            then: {
                boards: $boards:literal, members: $members:literal, member: $member:literal, place: $place:literal,
                was: $was:literal, tie: $tie:literal, kept_tie: $kept_tie:literal, nobody: $nobody:literal $(,)?
            } $(,)?
        },
        $use:literal, $db:expr, $at:expr, $views:expr, $columns:literal, $score:literal, $shown:literal,
        $select:literal, ($($joins:tt)+) $(, $argument:expr)* $(,)?
    ) => {
        $crate::views::leaderboards::places_then!(
            {
                table: $table, versions: $versions, values: $values, keys: $keys, same_key: $same_key, named: $named,
                ranked: $ranked, behind: $behind, order: $order, about: $about,
                then: {
                    boards: $boards, members: $members, member: $member, place: $place, was: $was, tie: $tie, kept_tie: $kept_tie,
                    nobody: $nobody,
                },
            },
            $use,
            // Some more than the page, so that the last ones of it are seen to come before somebody who did not move.
            ("case when " $nobody " then $6::bigint + $7::bigint + 100 end"),
            $db,
            $at,
            $views,
            $columns,
            $score,
            $select,
            (r#"
                cross join lateral (
                    select k.skip, n.exact and (
                        k.skip >= n.ranked
                        -- In the middle is who is not ranked: that is a page without places.
                        or ($6 is null and n.ahead is null)
                        or (select count(*) from board x where x.before_cut) >= least(k.skip + $7, n.ranked)
                    ) as exact
                    from (
                        select coalesce($6, greatest(0, least(n.ahead - ($7::bigint - 1) / 2, n.ranked - $7))) as skip
                    ) k
                ) f
                left join lateral (
                    select i.*, x.score, x.rank
                    from (
                        -- Cut to the page before anything is looked up: `offset` keeps the two apart.
                        select x.member, x.score, x.rank
                        from board x
                        where x.rank > f.skip
                            and x.rank <= f.skip + $7
                        offset 0
                    ) x
                    cross join lateral (
                        select "# + $values + r#"
                        from "# + $versions + r#" i
                        where "# + $place + r#"
                            and i.work_type = $5
                            and i.from_position <= s.position
                        order by i.from_position desc
                        limit 1
                    ) i
                ) b on "# + $shown + $($joins)+),
            "order by r.rank"
            $(, $argument)*
        )
    };
}
pub(crate) use page_then;
