-- Useful work on top of the hand-written network, from position 32 on. Six people with one wallet each (`wa` is Ann's, `wb` Ben's, …),
-- Ann with a second one, Gus whose wallet is unlinked later, and an address of nobody.
--
-- 6 (retracted) a submission of wa | 40 block 7: people register | 42 wallets are linked | 45 oracle o-1 registers | 50 block 8: first work
-- 60 block 9: more work, and Gus loses his wallet. The five of the worked example then have 9, 7, 7, 3 and 1.

set search_path = views, log, public;

insert into log.event_kinds (kind, name)
values (24, 'work.submitted'), (25, 'work.rejected'), (26, 'oracle.registered')
on conflict do nothing;

insert into log.subjects (subject_id, source_id, namespace, subject)
values
    (101, 1, 1, 'wa'), (102, 1, 1, 'wb'), (103, 1, 1, 'wc'), (104, 1, 1, 'wd'), (105, 1, 1, 'we'), (106, 1, 1, 'wf'),
    (107, 1, 1, 'wg'), (108, 1, 1, 'wa2'), (109, 1, 1, 'Lone'), (110, 2, 1, 'Lone'), (111, 1, 4, 'o-1');

-- Who they are: id, name, visibility, wallet.
create temp table people as
select decode(repeat(mark, 32), 'hex') as id, name, visibility, wallet
from (values
    ('01', 'Ann', 'public', 101), ('02', 'Ben', 'public', 102), ('03', 'Cat', 'public', 103), ('04', 'Dan', 'public', 104),
    ('05', 'Eve', 'public', 105), ('06', 'Fay', 'private', 106), ('07', 'Gus', 'public', 107)
) p (mark, name, visibility, wallet);

insert into identities_versions (identity_id, source_id, controller, key_alg, public_key, display_name, search_name, stats_visibility,
    created_at, updated_at, claim_position, from_position, present)
select id, 1, 'bob', 'ed25519', '04', name, lower(name), visibility, '2026-01-20T08:00:00Z', '2026-01-20T08:00:00Z', 40, 40, true
from people;
insert into wallet_links_versions (source_id, identity_id, address_id, wallet_address, link_type, proof_alg, proof_public_key,
    proof_signature, verdict, trusted, created_at, claim_position, from_position, present)
select 1, id, wallet, 'w' || lower(left(name, 1)), 'mining', 'ed25519', '04', '05', 1, false, timestamptz '2026-01-20T08:00:00Z', 42, 42, true
from people
union all
select 1, id, 108, 'wa2', 'mining', 'ed25519', '04', '05', 1, false, timestamptz '2026-01-20T08:00:00Z', 43, 42, true
from people where name = 'Ann';
insert into wallet_owners_versions (address_id, identity_id, source_id, claim_position, from_position, present)
select address_id, identity_id, 1, claim_position, 42, true from wallet_links_versions where from_position = 42
union all
select 107, id, 1, 42, 60, false from people where name = 'Gus';

create function pg_temp.moment(at bigint) returns timestamptz language sql as $$
    select timestamptz '2026-01-20T09:00:00Z' + at * interval '1 minute'
$$;

insert into log.events (position, source_id, height, block_hash, tx_id, tx_index, event_index, kind, body, occurred_at, recorded_at, digest)
select p, 1, p / 10 + 3, decode(repeat('e' || (p / 10 % 10), 32), 'hex'), 'tx-' || p, 0, 0, kind, convert_to('{}', 'UTF8'), pg_temp.moment(p),
    clock_timestamp(), decode(repeat('00', 32), 'hex')
from (values (42, 11), (43, 11), (45, 26), (48, 24), (49, 24), (55, 24), (56, 24), (57, 24), (58, 25), (59, 25)) e (p, kind);
insert into log.event_subjects (subject_id, position, role)
values (111, 45, 17), (111, 48, 17), (111, 49, 17), (111, 58, 17), (101, 48, 16), (108, 55, 16), (109, 49, 16);
insert into log.log_units (end_position, first_position, source_id, height, block_hash, occurred_at, chain_hash)
select p, p - 8, 1, p / 10 + 3, decode(repeat('e' || (p / 10 % 10), 32), 'hex'), pg_temp.moment(p), sha256(p::text::bytea)
from unnest(array[40, 50, 60]) p;
insert into heads_versions (source_id, height, block_hash, block_time, first_height, tx_total, links_verified, hashes_verified,
    signatures_verified, checks_refuted, unrecognized, complete, from_position, present)
select 1, p / 10 + 3, decode(repeat('e' || (p / 10 % 10), 32), 'hex'), pg_temp.moment(p), 0, p, 0, 0, 0, 0, 0, true, p, true
from unnest(array[40, 50, 60]) p;
insert into work_clock_versions (source_id, hour, block_time, from_position, present)
select 1, floor(extract(epoch from pg_temp.moment(p)) / 3600), pg_temp.moment(p), p, true from unnest(array[50, 60]) p;

-- What each identity has done, in submissions of nuw_dag; Ann has BOINC credit besides, without which she would have 8.
create function pg_temp.totals(who text, type text, at bigint, accepted bigint, rejected bigint, score numeric, today numeric, last_at bigint)
returns void language sql as $$
    insert into views.identity_work_versions (identity_id, work_type, ranked, accepted, rejected, score, score_day, score_week, score_month,
        first_at, last_at, from_position, present)
    select p.id, type, p.visibility = 'public', totals.accepted, totals.rejected, totals.score * 1000000000, totals.today * 1000000000,
        totals.score * 1000000000, totals.score * 1000000000, pg_temp.moment(45), pg_temp.moment(totals.last_at), at, true
    from people p where p.name = who;
$$;
create function pg_temp.same(who text, type text, at bigint, score bigint, today bigint, last_at bigint) returns void language sql as $$
    select pg_temp.totals(who, type, at, score, 0, score, today, last_at);
$$;

do $$
declare
    types constant text[] := array['nuw_dag', 'nuw', 'all'];
begin
    perform pg_temp.same(who, type, 50, score, score, last_at)
    from (values ('Ben', 7, 50), ('Cat', 6, 50), ('Dan', 3, 50), ('Eve', 2, 50), ('Fay', 20, 50), ('Gus', 5, 50)) w (who, score, last_at),
        unnest(types) type;
    perform pg_temp.same('Ann', type, 50, 1, 1, 49) from unnest(array['nuw_dag', 'nuw']) type;
    perform pg_temp.totals('Ann', 'boinc', 50, 1, 0, 10.5, 10.5, 48);
    perform pg_temp.same('Ann', 'all', 50, 2, 2, 49);

    perform pg_temp.same(who, type, 60, score, today, last_at)
    from (values ('Cat', 7, 1, 60), ('Eve', 1, 0, 48)) w (who, score, today, last_at), unnest(types) type;
    perform pg_temp.totals('Ann', type, 60, 8, 1, 8, 8, 55) from unnest(array['nuw_dag', 'nuw']) type;
    perform pg_temp.totals('Ann', 'all', 60, 9, 1, 9, 9, 55);
    insert into views.identity_work_versions (identity_id, work_type, from_position, present)
    select id, type, 60, false from people, unnest(types) type where name = 'Gus';
end
$$;

-- The same by address; two addresses tie but for their names, and one name is on two chains.
insert into address_work_versions (source_id, address_id, work_type, miner_address, accepted, rejected, score, score_day, score_week, score_month,
    first_at, last_at, from_position, present)
select source_id, address_id, 'all', address, score, 0, score * 1000000000::numeric, 0, score * 1000000000::numeric, score * 1000000000::numeric, pg_temp.moment(45),
    pg_temp.moment(last_at), at, true
from (values
    (1, 101, 'wa', 2, 49, 50), (1, 102, 'wb', 7, 50, 50), (1, 106, 'wf', 20, 50, 50), (1, 107, 'wg', 5, 50, 50), (1, 109, 'Lone', 5, 50, 50),
    (2, 110, 'Lone', 5, 50, 50), (1, 101, 'wa', 8, 55, 60), (1, 108, 'wa2', 1, 55, 60)
) a (source_id, address_id, address, score, last_at, at);
insert into address_work_versions (source_id, address_id, work_type, from_position, present) values (1, 102, 'all', 60, false);

-- The boards as they stood at three blocks; the first one has been retracted since.
insert into identity_boards (work_type, timeframe, position, source_id, ranked, identities, scores, last_ats, height, block_time)
select t.work_type, f.timeframe, p.at, 1, count(b.*), coalesce(array_agg(b.identity_id order by b.score desc, b.last_at, b.identity_id)
    filter (where b.score > 0), '{}'), coalesce(array_agg(b.score order by b.score desc, b.last_at, b.identity_id) filter (where b.score > 0), '{}'),
    coalesce(array_agg(b.last_at order by b.score desc, b.last_at, b.identity_id) filter (where b.score > 0), '{}'), p.at / 10 + 3,
    pg_temp.moment(p.at)
from unnest(array[6, 50, 60]) p (at)
cross join unnest(array['boinc', 'nuw', 'bandwidth', 'compute', 'ceremony', 'all']) t (work_type)
cross join unnest(array['day', 'week', 'month', 'all']) f (timeframe)
left join lateral (
    select v.identity_id, v.last_at, v.score
    from (
        select distinct on (v.identity_id) v.identity_id, v.ranked and v.present as stands, v.last_at,
            case f.timeframe when 'day' then v.score_day when 'week' then v.score_week when 'month' then v.score_month else v.score end as score
        from identity_work_versions v
        where v.work_type = t.work_type and v.from_position <= p.at
        order by v.identity_id, v.from_position desc
    ) v
    where v.stands and v.score > 0
) b on true
group by t.work_type, f.timeframe, p.at;
insert into address_boards (work_type, timeframe, position, source_id, ranked, addresses, scores, last_ats)
select t.work_type, f.timeframe, p.at, 1, count(b.*),
    coalesce(array_agg(b.address_id order by b.score desc, b.last_at, b.miner_address, b.source_id) filter (where b.score > 0), '{}'),
    coalesce(array_agg(b.score order by b.score desc, b.last_at, b.miner_address, b.source_id) filter (where b.score > 0), '{}'),
    coalesce(array_agg(b.last_at order by b.score desc, b.last_at, b.miner_address, b.source_id) filter (where b.score > 0), '{}')
from unnest(array[50]) p (at)
cross join unnest(array['all']) t (work_type)
cross join unnest(array['day', 'week', 'month', 'all']) f (timeframe)
left join lateral (
    select v.source_id, v.address_id, v.miner_address, v.last_at, v.score
    from (
        select distinct on (v.source_id, v.address_id) v.source_id, v.address_id, v.miner_address, v.present as stands, v.last_at,
            case f.timeframe when 'day' then v.score_day when 'week' then v.score_week when 'month' then v.score_month else v.score end as score
        from address_work_versions v
        where v.work_type = t.work_type and v.from_position <= p.at
        order by v.source_id, v.address_id, v.from_position desc
    ) v
    where v.stands and v.score > 0
) b on true
group by t.work_type, f.timeframe, p.at;

insert into work_submissions (source_id, position, submission_id, is_rejection, outcome, accepted_position, address_id, miner_address, oracle_id,
    work_type, difficulty, credit, score, reward, reward_unit, oracle_verdict, project, reason, submitted_at, validated_at, block_height, tx_id,
    occurred_at)
select 1, p, id, is_rejection, outcome, accepted_position, address, miner, 'o-1', type, '1.50', credit, score, 25, 'points', verdict, 'einstein',
    reason, pg_temp.moment(p) - interval '90 seconds', pg_temp.moment(p), p / 10 + 3, 'tx-' || p, pg_temp.moment(p)
from (values
    (6, 's-0', false, 'accepted', null, 101, 'wa', 'boinc', '5', 5000000000, 1, null),
    (48, 's-1', false, 'accepted', null, 101, 'wa', 'boinc', '10.50', 10500000000, 1, null),
    (49, 's-2', false, 'accepted', null, 101, 'wa', 'nuw_dag', null, 1000000000, 1, null),
    (55, 's-5', false, 'accepted', null, 108, 'wa2', 'nuw_dag', null, 1000000000, 1, null),
    (56, 's-1', false, 'repeated', null, 102, 'wb', 'boinc', '99', 0, 1, 'the id has counted before'),
    (57, 's-3', false, 'refuted', null, 101, 'wa', 'boinc', '99', 0, 2, 'the signature does not hold'),
    (58, 's-2', true, 'rejected', 49, 101, 'wa', 'nuw_dag', null, 0, null, 'result mismatch'),
    (59, 's-4', true, 'rejected', null, 101, 'wa', 'compute', null, 0, null, 'never seen')
) w (p, id, is_rejection, outcome, accepted_position, address, miner, type, credit, score, verdict, reason);

insert into oracles_versions (source_id, oracle_id, name, oracle_address, key_alg, public_key, registered_at, slashed, slash_count, claim_position,
    from_position, present)
values
    (1, 'o-1', 'Oracle one', 'carol', 'ed25519', '04', pg_temp.moment(45), 0, 0, 45, 50, true),
    (1, 'o-1', 'Oracle one', 'carol', 'ed25519', '04', pg_temp.moment(45), 64, 1, 45, 60, true);
insert into oracle_activity_versions (source_id, oracle_id, accepted, rejected, overturned, refuted, unproven, repeated, latency_count, first_at,
    last_at, from_position, present)
values
    (1, 'o-1', 2, 0, 0, 0, 0, 0, 2, pg_temp.moment(48), pg_temp.moment(49), 50, true),
    (1, 'o-1', 8, 3, 1, 1, 0, 1, 8, pg_temp.moment(48), pg_temp.moment(59), 60, true),
    (1, 'gone', 0, 0, 0, 0, 1, 0, 0, null, null, 50, true),
    (1, 'gone', null, null, null, null, null, null, null, null, null, 60, false),
    (1, 'späh:1', 0, 0, 0, 0, 3, 0, 0, null, null, 60, true),
    (2, 'o-1', 1, 0, 0, 0, 0, 0, 0, pg_temp.moment(60), pg_temp.moment(60), 60, true);
insert into oracle_types_versions (source_id, oracle_id, work_type, accepted, rejected, refuted, unproven, from_position, present)
values (1, 'o-1', 'boinc', 1, 0, 0, 0, 50, true), (1, 'o-1', 'nuw_dag', 1, 0, 0, 0, 50, true), (1, 'o-1', 'nuw_dag', 7, 2, 0, 0, 60, true),
    (1, 'o-1', 'compute', 0, 1, 0, 0, 60, true), (1, 'o-1', 'ceremony', 0, 0, 1, 0, 60, true),
    (1, 'späh:1', 'compute', 0, 0, 0, 1, 60, true), (1, 'späh:1', 'boinc', 0, 0, 0, 1, 50, true), (1, 'späh:1', 'boinc', 0, 0, 0, 2, 60, true);
insert into oracle_hours_versions (source_id, oracle_id, hour, accepted, rejected, refuted, unproven, from_position, present)
select 1, id, floor(extract(epoch from pg_temp.moment(p)) / 3600), accepted, rejected, refuted, unproven, p, true
from (values (50, 'o-1', 2, 0, 0, 0), (60, 'o-1', 6, 3, 1, 0), (60, 'späh:1', 0, 0, 0, 3)) h (p, id, accepted, rejected, refuted, unproven);
-- Eight latencies: four of 90 s (bucket 77: 90 to 91), three of 30 s, one of 4096 s.
insert into oracle_latencies_versions (source_id, oracle_id, bucket, accepted, from_position, present)
values (1, 'o-1', 77, 2, 50, true), (1, 'o-1', 77, 4, 60, true), (1, 'o-1', 30, 3, 60, true), (1, 'o-1', 256, 1, 60, true);

select log.publish(view, 31)
from unnest(array['identities', 'wallet_links', 'wallet_owners', 'heads', 'work_clock', 'identity_work', 'address_work', 'oracles',
    'oracle_activity', 'oracle_types', 'oracle_hours', 'oracle_latencies']) view;
