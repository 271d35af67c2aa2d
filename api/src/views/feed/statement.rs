//! The statement behind a feed. Its cost is bounded by what it looks at, not by what there is.
//!
//! Of each identity, and of each of its wallets, it takes the newest so many places in the log from an index alone,
//! merges them, and looks at the events themselves only until the page is full. Where an identity has more places than
//! were taken, nothing older than the last of them is shown: the page ends early there, and its cursor goes on.

/// The statement: `$3` is the identity; `$4` and `$5` say whether its own activity and that of those it follows is asked
/// for, `$6` is the position before, `$7` the limit, `$8` says whether work is asked for, `$9` are the kinds. `spans` gives
/// `identity_id, places`: the newest `d.depth` places of the identities in `whose`.
///
/// A place is a position and a role in one number, 32 × position + 31 − role, so that of one event the first role comes
/// first: who follows before who is followed.
macro_rules! feed_at {
    ($db:expr, $at:expr, $views:expr, $spans:literal $(, $argument:expr)* $(,)?) => {
        stamped!(
            $db,
            $at,
            $views,
            r#"
            r.known as "known?", r.floor as "floor?", r.position as "position?", r.kind as "kind?", r.chain as "chain?",
            r.height as "height?", r.tx_id as "tx_id?", r.occurred_at as "occurred_at?", r.body as "body?",
            r.identity_id as "identity_id?", r.display_name as "display_name?", r.role as "role?", r.partner as "partner?",
            r.partner_role as "partner_role?", r.partner_name as "partner_name?", r.title as "title?",
            r.submission_id as "submission_id?", r.work_type as "work_type?", r.miner_address as "miner_address?",
            r.score as "score?"
            "#,
            (r#"
            select
                k.known, p.floor, p.position, p.kind, src.name as chain, p.height, p.tx_id, p.occurred_at, p.body,
                p.identity_id, i.display_name, p.role, t.subject as partner, t.role as partner_role,
                o.display_name as partner_name, g.title, w.submission_id, w.work_type, w.miner_address,
                w.score::text as score
            from (
                select coalesce((
                    select v.present
                    from identities_versions v
                    where v.identity_id = $3
                        and v.from_position <= s.position
                    order by v.from_position desc
                    limit 1
                ), false) as known
            ) k
            left join lateral (
                with whose as materialized (
                    select n.identity_id, c.subject_id
                    from (
                        select $3::bytea as identity_id
                        where $4
                        union all
                        (
                            -- Those followed longest give way to those followed last.
                            select f.following_id
                            from (
                                (
                                    select n.following_id, n.claim_position
                                    from social_connections n
                                    where $5
                                        and n.follower_id = $3
                                        and n.claim_position <= s.position
                                        and n.from_position <= s.position
                                    order by n.claim_position desc
                                    limit 500
                                )
                                union all
                                (
                                    select o.following_id, o.claim_position
                                    from (
                                        select distinct v.following_id
                                        from social_connections_versions v
                                        where $5
                                            and v.follower_id = $3
                                            and v.from_position > s.position
                                    ) changed
                                    cross join lateral (
                                        select x.following_id, x.claim_position, x.present
                                        from (
                                            select v.following_id, v.claim_position, v.from_position, v.present
                                            from social_connections_versions v
                                            where v.follower_id = $3
                                                and v.following_id = changed.following_id
                                            offset 0
                                        ) x
                                        where x.from_position <= s.position
                                        order by x.from_position desc
                                        limit 1
                                    ) o
                                    where o.present
                                )
                            ) f
                            order by f.claim_position desc
                            limit 500
                        )
                    ) n
                    join log.subjects c
                        on c.namespace = 2
                        and c.subject = encode(n.identity_id, 'hex')
                        and coalesce(c.source_id, 0) = 0
                ), depth as materialized (
                    select greatest($7::bigint + 1, least(1000, 20000 / greatest(count(*), 1))) as depth
                    from whose
                ), wallets as materialized (
                    select o.identity_id, l.address_id
                    from whose n
                    cross join lateral (
                        select distinct v.address_id
                        from wallet_links_versions v
                        where v.identity_id = n.identity_id
                            and v.from_position <= s.position
                    ) l
                    cross join lateral (
                        select v.identity_id, v.present
                        from wallet_owners_versions v
                        where v.address_id = l.address_id
                            and v.from_position <= s.position
                        order by v.from_position desc
                        limit 1
                    ) o
                    where $8
                        and o.present
                        and o.identity_id = n.identity_id
                        and log.shows_stats(n.identity_id)
                ), spans as materialized (
                    "# + $spans + r#"
                    union all
                    select n.identity_id, array(
                        select x.position * 32 + 15
                        from work_submissions x
                        where x.address_id = n.address_id
                            and x.position <= s.position
                            and x.position < $6
                        order by x.position desc
                        limit d.depth
                    )
                    from wallets n
                    cross join depth d
                ), complete as materialized (
                    -- Down to here nothing is missing: the last place of those that were cut off.
                    select coalesce(max(n.places[d.depth]), 0) as place
                    from spans n
                    cross join depth d
                ), places as materialized (
                    select m.place, n.identity_id
                    from spans n
                    cross join complete c
                    cross join unnest(n.places) m (place)
                    where m.place >= c.place
                    order by m.place desc
                    limit 2000
                ), bound as (
                    select greatest(c.place, case when m.taken = 2000 then m.place end) / 32 as floor
                    from complete c
                    cross join (select count(*) as taken, min(place) as place from places) m
                )
                select b.floor, f.*
                from bound b
                left join lateral (
                    select e.*
                    from (
                        select n.position, n.identity_id, n.role, e.*
                        from (
                            select distinct on (m.place / 32)
                                m.place / 32 as position, (31 - m.place % 32)::smallint as role, m.identity_id
                            from places m
                            order by m.place / 32 desc, m.place desc
                        ) n
                        -- Each event is looked up when its turn comes, and none once the page is full.
                        cross join lateral (
                            select
                                v.source_id, v.kind, v.height, v.tx_id, v.occurred_at,
                                case when v.kind in (18, 22, 23) then v.body end as body,
                                not exists (
                                    select 1
                                    from log.retractions x
                                    where x.source_id = v.source_id
                                        and v.height is not null
                                        and x.first_position <= v.position
                                        and x.at_position > v.position
                                        and x.at_position <= s.position
                                ) as stands
                            from log.events v
                            where v.position = n.position
                            offset 0
                        ) e
                        cross join lateral (
                            select
                                exists (select from log.voids(n.position, s.position)) or exists (
                                    -- Somebody else may have registered the identity on that chain and act in its name.
                                    select 1
                                    from log.event_subjects a
                                    join log.subjects f on f.subject_id = a.subject_id
                                    where a.position = n.position
                                        and f.namespace = 2
                                        and not log.recognised(e.source_id, decode(f.subject, 'hex'), s.position)
                                ) or (
                                    -- Who follows again whom they follow already changes nothing, and no finding says so.
                                    e.kind = 13
                                    and not exists (
                                        select 1
                                        from log.event_subjects a
                                        join log.subjects f on f.subject_id = a.subject_id
                                        join log.event_subjects b on b.position = a.position
                                        join log.subjects g on g.subject_id = b.subject_id
                                        join follow_claims_versions x
                                            on x.follower_id = decode(f.subject, 'hex')
                                            and x.following_id = decode(g.subject, 'hex')
                                        where a.position = n.position
                                            and a.role = 7
                                            and b.role = 8
                                            and x.source_id = e.source_id
                                            and x.claim_position = n.position
                                            and x.from_position <= s.position
                                    )
                                ) as void,
                                e.kind <> 24 or (
                                    exists (
                                        select 1
                                        from work_submissions x
                                        where x.source_id = e.source_id
                                            and x.position = n.position
                                            and x.outcome = 'accepted'
                                    )
                                    and not exists (
                                        select 1
                                        from work_submissions x
                                        where x.accepted_position = n.position
                                            and x.source_id = e.source_id
                                            and x.position <= s.position
                                            and log.stands(x.source_id, x.position, s.position)
                                    )
                                ) as accepted
                            offset 0
                        ) j
                        where e.kind = any($9::smallint[])
                            -- That somebody stopped following is theirs to show.
                            and not (e.kind = 14 and n.role = 8)
                            and e.stands
                            and not j.void
                            and j.accepted
                        order by n.position desc
                        limit $7::bigint + 1
                    ) e
                    limit 101
                ) f on true
            ) p on k.known
            left join log.sources src on src.source_id = p.source_id
            left join lateral (
                select v.display_name
                from identities_versions v
                where v.identity_id = p.identity_id
                    and v.from_position <= s.position
                order by v.from_position desc
                limit 1
            ) i on true
            left join lateral (
                -- Whom or what else the event is about: a wallet, the other identity, or a proposal.
                select c.subject, es.role
                from log.event_subjects es
                join log.subjects c on c.subject_id = es.subject_id
                where es.position = p.position
                    and es.role <> p.role
                    and es.role in (6, 7, 8, 11, 14, 15)
                order by es.role
                limit 1
            ) t on true
            left join lateral (
                select v.display_name
                from identities_versions v
                where v.identity_id = case when t.role in (7, 8, 14, 15) then decode(t.subject, 'hex') end
                    and v.from_position <= s.position
                order by v.from_position desc
                limit 1
            ) o on true
            left join lateral (
                select v.title
                from proposals_versions v
                where v.source_id = p.source_id
                    and v.proposal_id = case
                        when t.role = 11 and t.subject ~ '^[0-9]{1,19}$'
                            then least(t.subject::numeric, 9223372036854775807)::bigint
                    end
                    and v.from_position <= s.position
                order by v.from_position desc
                limit 1
            ) g on true
            left join work_submissions w on p.kind = 24 and w.source_id = p.source_id and w.position = p.position
            "#),
            "order by r.position desc"
            $(, $argument)*
        )
    };
}
pub(super) use feed_at;
