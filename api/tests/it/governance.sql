-- Governance after the end of network.sql: ten proposals in every status there is, votes that count and votes that do not,
-- power with all its parts, and a fork. Powers: Zoë 50 staked, 20 of it given to Zoltan; Ada 5; Ben none.
--
-- 32-40 block 7: Ada and Ben register, power | 41-50 block 8: proposals 1 to 8 | 51-60 block 9: voting opens
-- 61-70 block 10: votes | 71-80 block 11: Zoë votes on 1 anew | 81-90 block 12: voting ends, the chain finalizes, Zoë takes
-- out 40, Eve registers | 91-95 block 13: 4 is executed, 9 is proposed, Ada votes on 7 | 96 fork back to 12 | 97-100 block 13': 4 is executed,
-- 10 is proposed | 101 hub's proposal 1

set search_path = views, log, public;

insert into log.event_kinds (kind, name)
values
    (15, 'staking.staked'), (16, 'staking.unstaked'), (17, 'governance.proposed'), (18, 'governance.voted'),
    (19, 'governance.finalized'), (20, 'governance.executed'), (21, 'governance.cancelled'), (22, 'governance.delegated')
on conflict do nothing;

insert into log.subjects (subject_id, source_id, namespace, subject)
values (12, null, 2, repeat('c3', 32)), (13, null, 2, repeat('d4', 32)), (14, null, 2, repeat('e5', 32));
insert into log.subjects (subject_id, source_id, namespace, subject)
select 20 + n, 1, 3, n::text from generate_series(1, 10) n;
insert into log.subjects (subject_id, source_id, namespace, subject) values (31, 2, 3, '1');

create function pg_temp.block(first bigint, last bigint, in_height bigint, mark text) returns void language sql as $$
    insert into log.log_units (end_position, first_position, source_id, height, block_hash, occurred_at, chain_hash)
    values (last, first, 1, in_height, decode(repeat(mark, 32), 'hex'),
        timestamptz '2026-01-18T21:00:00Z' + in_height * interval '1 minute', sha256(last::text::bytea));
    insert into heads_versions (source_id, height, block_hash, block_time, first_height, genesis_hash, tx_total, links_verified,
        hashes_verified, signatures_verified, checks_refuted, unrecognized, complete, from_position, present)
    values (1, in_height, decode(repeat(mark, 32), 'hex'),
        timestamptz '2026-01-18T21:00:00Z' + in_height * interval '1 minute', 0, null, 9, 0, 0, 0, 0, 0, true, last, true);
$$;

create function pg_temp.event(at bigint, in_kind integer, subjects bigint[], roles smallint[], body jsonb default '{}')
returns void language sql as $$
    insert into log.events (position, source_id, height, block_hash, tx_id, tx_index, event_index, kind, body, occurred_at,
        recorded_at, digest)
    select at, u.source_id, u.height, u.block_hash, 'tx-' || at, 0, (at - u.first_position)::integer, in_kind::smallint, convert_to(body::text, 'utf8'),
        u.occurred_at, clock_timestamp(), decode(repeat('00', 32), 'hex')
    from log.log_units u where at between u.first_position and u.end_position;
    insert into log.event_subjects (subject_id, position, role)
    select named.subject, at, named.role from unnest(subjects, roles) named (subject, role);
$$;

create function pg_temp.identity(at bigint, last bigint, id text, in_controller text, name text) returns void language sql as $$
    insert into identities_versions (identity_id, source_id, controller, key_alg, public_key, display_name, search_name,
        stats_visibility, created_at, updated_at, claim_position, from_position, present)
    select decode(id, 'hex'), 1, in_controller, 'ed25519', '04', name, lower(name), 'private', u.occurred_at, u.occurred_at, at, last, true
    from log.log_units u where u.end_position = last;
    insert into identity_claims_versions (source_id, identity_id, controller, key_alg, public_key, display_name, search_name,
        stats_visibility, created_at, updated_at, claim_position, from_position, present)
    select source_id, identity_id, controller, key_alg, public_key, display_name, search_name, stats_visibility, created_at,
        updated_at, claim_position, from_position, present
    from identities_versions where identity_id = decode(id, 'hex') and from_position = last;
$$;

create function pg_temp.power(last bigint, id text, own bigint, received bigint, given bigint) returns void language sql as $$
    insert into powers_versions (source_id, identity_id, own_stake, delegated_in, delegated_out, from_position, present)
    values (1, decode(id, 'hex'), own, received, given, last, true);
$$;

create function pg_temp.staked(last bigint, in_address bigint, amount bigint) returns void language sql as $$
    insert into balances_versions (source_id, address_id, address, balance, received, sent, fees_paid, minted, staked, tx_count,
        first_height, last_height, from_position, present)
    select 1, in_address, s.subject, 100, 0, 0, 0, 100, amount, 1, 1, 1, last, true from log.subjects s where s.subject_id = in_address;
$$;

create function pg_temp.delegation(last bigint, giver text, receiver text, given bigint, counting bigint, at bigint) returns void
language sql as $$
    insert into delegations_versions (source_id, delegator_id, delegatee_id, amount, counted, created_at, updated_at, claim_position,
        from_position, present)
    values (1, decode(giver, 'hex'), decode(receiver, 'hex'), given, counting, timestamptz '2026-01-18T21:07:00Z',
        timestamptz '2026-01-18T21:07:00Z', at, last, true);
$$;

-- A proposal as it comes, with its event, then what each later block changes of it.
create function pg_temp.proposed(at bigint, last bigint, id bigint, proposer text, more jsonb, texts jsonb default '{}')
returns void language sql as $$
    select pg_temp.event(at, 17, array[about.subject_id, who.subject_id], '{11,12}', jsonb_build_object(
        'proposal_id', id::text, 'proposer', proposer, 'proposal_type', 'text', 'title', 'Proposal ' || id, 'sender', 'alice',
        'voting_starts_at', '2026-01-18T21:09:00Z', 'voting_ends_at', '2026-01-18T21:11:30Z') || texts)
    from log.log_units u
    join log.subjects about on about.namespace = 3 and about.subject = id::text and about.source_id = u.source_id
    join log.subjects who on who.namespace = 2 and who.subject = proposer
    where u.end_position = last;
    insert into proposals_versions
    select n.*
    from log.log_units u, jsonb_populate_record(null::proposals_versions, jsonb_build_object(
        'source_id', u.source_id, 'proposal_id', id, 'proposer_identity', '\x' || proposer, 'proposal_type', 'text',
        'title', 'Proposal ' || id, 'quorum', 50, 'voting_starts_at', '2026-01-18T21:09:00Z',
        'voting_ends_at', '2026-01-18T21:11:30Z', 'status', 'pending', 'votes_for', 0, 'votes_against', 0, 'votes_abstain', 0,
        'voters', 0, 'created_at', u.occurred_at, 'updated_at', u.occurred_at, 'claim_position', at, 'from_position', last,
        'present', true) || more) n
    where u.end_position = last;
$$;

create function pg_temp.changed(last bigint, ids bigint[], changes jsonb) returns void language sql as $$
    insert into proposals_versions
    select n.*
    from unnest(ids) id
    cross join log.log_units u
    cross join lateral (
        select v from proposals_versions v where v.source_id = 1 and v.proposal_id = id order by v.from_position desc limit 1
    ) old
    cross join jsonb_populate_record(old.v, changes || jsonb_build_object('updated_at', u.occurred_at, 'from_position', last)) n
    where u.end_position = last;
$$;

create function pg_temp.vote(at bigint, last bigint, id bigint, who text, choice text, claimed bigint, computed bigint, finding text)
returns void language sql as $$
    insert into votes (source_id, position, proposal_id, voter_identity, vote_choice, claimed_power, vote_power, counts, why, reason,
        block_height, tx_id, cast_at)
    select 1, at, id, decode(who, 'hex'), choice, claimed, computed, finding is null, finding, 'because ' || at, u.height, 'tx-' || at,
        u.occurred_at
    from log.log_units u where u.end_position = last;
    insert into ballots_versions (source_id, proposal_id, voter_identity, vote_choice, vote_power, vote_position, from_position, present)
    select 1, id, decode(who, 'hex'), choice, computed, at, last, true where finding is null;
    select pg_temp.event(at, 18, array[20 + id, s.subject_id], '{11,13}')
    from log.subjects s where s.namespace = 2 and s.subject = who;
$$;

do $$
declare
    zoe constant text := repeat('a1', 32);
    zoltan constant text := repeat('b2', 32);
    ada constant text := repeat('c3', 32);
    ben constant text := repeat('d4', 32);
    n integer;
begin
    insert into identity_claims_versions (source_id, identity_id, controller, key_alg, public_key, display_name, search_name,
        stats_visibility, created_at, updated_at, claim_position, from_position, present)
    select source_id, identity_id, controller, key_alg, public_key, display_name, search_name, stats_visibility, created_at,
        updated_at, claim_position, from_position, present
    from identities_versions where identity_id = decode(zoltan, 'hex');

    perform pg_temp.block(32, 40, 7, '17');
    perform pg_temp.identity(33, 40, ada, 'carol', 'Ada');
    perform pg_temp.identity(34, 40, ben, 'dave', 'Ben');
    insert into wallet_links_versions (source_id, identity_id, address_id, wallet_address, link_type, proof_alg, proof_public_key,
        proof_signature, verdict, trusted, created_at, claim_position, from_position, present)
    select 1, decode(ada, 'hex'), s.subject_id, s.subject, 'staking', 'ed25519', '04', '05', 1, false,
        timestamptz '2026-01-18T21:07:00Z', 32 + s.subject_id, 40, true
    from log.subjects s where s.subject_id in (3, 4);
    insert into wallet_owners_versions (address_id, identity_id, source_id, claim_position, from_position, present)
    values (3, decode(ada, 'hex'), 1, 35, 40, true), (4, decode(ada, 'hex'), 1, 36, 40, true);
    perform pg_temp.event(35, 11, '{12,3}', '{5,6}');
    perform pg_temp.event(36, 11, '{12,4}', '{5,6}');
    perform pg_temp.event(37, 15, '{2}', '{9}');
    perform pg_temp.event(38, 22, '{6,8}', '{14,15}');
    perform pg_temp.staked(40, 2, 50);
    perform pg_temp.staked(40, 3, 4);
    perform pg_temp.staked(40, 4, 1);
    perform pg_temp.delegation(40, zoe, zoltan, 20, 20, 38);
    perform pg_temp.power(40, zoe, 50, 0, 20);
    perform pg_temp.power(40, zoltan, 0, 20, 0);
    perform pg_temp.power(40, ada, 5, 0, 0);

    perform pg_temp.block(41, 50, 8, '18');
    for n in 1 .. 8 loop
        perform pg_temp.proposed(41 + n, 50, n, case when n = 2 then ada else zoe end, case n
            when 1 then '{}'
            when 2 then '{"voting_starts_at": "2026-01-18T22:00:00Z", "voting_ends_at": "2026-01-18T23:00:00Z", "proposal_type": "budget"}'
            when 7 then '{"voting_ends_at": "2026-01-18T23:00:00Z", "proposal_type": "budget"}'
            else '{"quorum": 0}' end::jsonb, case n
            when 1 then '{"description": "All of it", "targets": ["0xAB", "bob"], "values": ["7", "0"], "calldatas": ["ff", ""]}'
            when 4 then '{"description": "Four"}'
            else '{}' end::jsonb);
    end loop;

    perform pg_temp.block(51, 60, 9, '19');
    perform pg_temp.changed(60, '{1,3,4,5,6,7,8}', '{"status": "active", "opened_position": 60, "opened_height": 9}');

    perform pg_temp.block(61, 70, 10, '1a');
    perform pg_temp.vote(62, 70, 1, zoe, 'for', 30, 30, null);
    perform pg_temp.vote(63, 70, 1, zoltan, 'against', 40, 20, null);
    perform pg_temp.vote(64, 70, 1, ada, 'abstain', 5, 5, null);
    perform pg_temp.vote(65, 70, 1, ben, 'for', 1, 0, 'no-voting-power');
    perform pg_temp.vote(66, 70, 8, zoe, 'for', 30, 30, null);
    perform pg_temp.vote(67, 70, 3, ada, 'for', 5, 5, null);
    perform pg_temp.changed(70, '{1}', '{"votes_for": 30, "votes_against": 20, "votes_abstain": 5, "voters": 3}');
    perform pg_temp.changed(70, '{8}', '{"votes_for": 30, "voters": 1}');
    perform pg_temp.changed(70, '{3}', '{"votes_for": 5, "voters": 1}');

    perform pg_temp.block(71, 80, 11, '1b');
    perform pg_temp.vote(72, 80, 1, zoe, 'abstain', 30, 30, null);
    perform pg_temp.changed(80, '{1}', '{"votes_for": 0, "votes_abstain": 35}');

    perform pg_temp.block(81, 90, 12, '1c');
    perform pg_temp.identity(82, 90, repeat('e5', 32), 'eve', 'Eve');
    perform pg_temp.changed(90, '{1}', '{"status": "ended", "computed_outcome": "rejected"}');
    perform pg_temp.changed(90, '{8}', '{"status": "ended", "computed_outcome": "passed"}');
    perform pg_temp.changed(90, '{3}', '{"status": "rejected", "computed_outcome": "passed", "final_outcome": "rejected",
        "claimed_for": 4, "claimed_against": 9, "claimed_abstain": 0, "finalized_at": "2026-01-18T21:12:00Z"}');
    perform pg_temp.changed(90, '{4,6}', '{"status": "passed", "computed_outcome": "rejected", "final_outcome": "passed",
        "finalized_at": "2026-01-18T21:12:00Z"}');
    perform pg_temp.changed(90, '{5}', '{"status": "cancelled", "computed_outcome": "rejected",
        "cancelled_at": "2026-01-18T21:12:00Z"}');
    perform pg_temp.event(83, 19, '{23}', '{11}');
    perform pg_temp.event(84, 19, '{24}', '{11}');
    perform pg_temp.event(85, 21, '{25}', '{11}');
    perform pg_temp.event(86, 19, '{26}', '{11}');
    perform pg_temp.event(87, 16, '{2}', '{9}');
    perform pg_temp.vote(88, 90, 6, zoltan, 'against', 20, 0, 'vote-outside-window');
    perform pg_temp.staked(90, 2, 10);
    perform pg_temp.delegation(90, zoe, zoltan, 20, 10, 38);
    perform pg_temp.power(90, zoe, 10, 0, 10);
    perform pg_temp.power(90, zoltan, 0, 10, 0);

    perform pg_temp.block(91, 95, 13, '1d');
    perform pg_temp.event(92, 20, '{24}', '{11}');
    perform pg_temp.changed(95, '{4}', '{"status": "executed", "executed_at": "2026-01-18T21:13:00Z"}');
    perform pg_temp.proposed(93, 95, 9, ben, '{}');
    perform pg_temp.vote(94, 95, 7, ada, 'for', 5, 5, null);
    perform pg_temp.changed(95, '{7}', '{"votes_for": 5, "voters": 1}');
    perform pg_temp.delegation(95, ada, zoltan, 5, 5, 91);

    insert into log.log_units (end_position, first_position, source_id, occurred_at, chain_hash)
    values (96, 96, 1, timestamptz '2026-01-18T21:30:00Z', sha256('96'::bytea));
    insert into log.retractions (at_position, source_id, first_position, fork_height) values (96, 1, 91, 12);
    perform log.restore(view, 1, 91, 96) from unnest(array['heads', 'proposals', 'ballots', 'delegations']) view;

    perform pg_temp.block(97, 100, 13, '2d');
    perform pg_temp.event(98, 20, '{24}', '{11}');
    perform pg_temp.changed(100, '{4}', '{"status": "executed", "executed_at": "2026-01-18T21:13:00Z"}');
    perform pg_temp.proposed(99, 100, 10, zoe, '{"voting_starts_at": "2026-01-18T22:00:00Z", "voting_ends_at": "2026-01-18T23:00:00Z"}');

    insert into log.log_units (end_position, first_position, source_id, height, block_hash, occurred_at, chain_hash)
    values (101, 101, 2, 1, decode(repeat('21', 32), 'hex'), timestamptz '2026-01-18T21:01:00Z', sha256('101'::bytea));
    perform pg_temp.proposed(101, 101, 1, zoltan, '{"title": "On the hub"}', '{"title": "On the hub", "description": "Hub"}');

    perform log.publish(view, 31)
    from unnest(array['heads', 'balances', 'identities', 'identity_claims', 'wallet_links', 'wallet_owners', 'powers', 'delegations',
        'proposals', 'ballots']) view;
end
$$;

insert into view_state (view, version, position, changed_position, changed_hash, state)
select view, 1, 31, 31, sha256('31'::bytea), 'live' from unnest(array['proposals', 'powers']) view;
