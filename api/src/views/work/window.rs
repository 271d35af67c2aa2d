//! The window of time that an answer about work speaks of, and whether everything in it was indexed.

/// A stamped statement with `w` in reach: `clock` (time of the block that began the newest hour), `starts_at` (start of
/// the window `$4`, null of all time) and `complete`.
///
/// `columns` and `order` are those of `stamped!`; `more` are further common table expressions, each behind a comma, that
/// may read `s.position`; `select` begins with its list and reads `from w` first.
///
/// Not complete is a window that reaches back behind the first block followed of any chain, all time when a chain was not
/// followed from genesis or holds what could not be understood, and while a source stands still the answer to a question
/// that names no moment.
macro_rules! stamped_in_window {
    (
        $db:expr, $at:expr, $views:expr, $columns:literal, ($($more:tt)*), ($($select:tt)+), $order:literal
        $(, $argument:expr)* $(,)?
    ) => {
        $crate::view::stamped!(
            $db,
            $at,
            $views,
            $columns,
            (r#"
                with w as materialized (
                    select c.block_time as clock, t.starts_at, not exists (
                        select 1
                        from log.sources src
                        join lateral (
                            -- Along the key, also past a source that has no head: never through the versions of another.
                            select v.source_id, v.first_height, v.complete, v.present
                            from heads_versions v
                            where (v.source_id, v.from_position) <= (src.source_id, s.position)
                            order by v.source_id desc, v.from_position desc
                            limit 1
                        ) h on h.present and h.source_id = src.source_id
                        left join lateral (
                            select b.block_time
                            from blocks b
                            where h.first_height > 0
                                and b.source_id = src.source_id
                                and b.height = h.first_height
                                and b.position <= s.position
                                and log.stands(b.source_id, b.position, s.position)
                            order by b.position desc
                            limit 1
                        ) f on true
                        left join log.source_state i on i.source_id = src.source_id
                        where case when t.starts_at is null then not h.complete else f.block_time > t.starts_at end
                            -- Only what is asked about now: an answer about a position stays what it was.
                            or (i.state in ('stalled', 'halted') and $1::bigint is null)
                    ) as complete
                    from (select 1) one
                    left join lateral (
                        select v.hour, v.block_time, v.present
                        from work_clock_versions v
                        where v.source_id = (select min(o.source_id) from work_clock_versions o)
                            and v.from_position <= s.position
                        order by v.from_position desc
                        limit 1
                    ) c on c.present
                    cross join lateral (
                        select to_timestamp(3600.0 * case $4::text
                            when 'day' then c.hour - 24
                            when 'week' then (c.hour / 24 - 7) * 24
                            when 'month' then (c.hour / 24 - 30) * 24
                        end) as starts_at
                    ) t
                )
            "# + $($more)* + " select " + $($select)+),
            $order
            $(, $argument)*
        )
    };
}
pub(crate) use stamped_in_window;
