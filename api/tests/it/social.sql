-- What happens after `network.sql`: Ann and Bea join, identities follow each other, work, propose and vote.
--
-- 32-40 block 7: Ann and Bea register, Ann links `ann`, Zoltan links `carol`; Zoe and Zoltan follow Ann, Ann follows Zoe,
--       Bea follows herself (void) | 41-46 block 8: work for ann (accepted, unproven), Ann proposes, Zoe votes and delegates
-- 47-49 block 9: Zoltan unfollows Ann, Bea follows her | 50 fork back to 8 | 51-53 block 9': Zoe unfollows Ann, work for carol
-- 54-57 block 10: Zoe follows Ann again, more work for ann, a stranger updates Ann (void) | 58-59 block 11: that work is rejected
-- 60-61 hub's block 1: somebody registers Ann there too

set search_path = views, log, public;

insert into log.event_kinds (kind, name)
values
    (13, 'social.followed'), (14, 'social.unfollowed'), (17, 'governance.proposed'), (18, 'governance.voted'),
    (22, 'governance.delegated'), (24, 'work.submitted'), (25, 'work.rejected')
on conflict do nothing;

insert into log.subjects (subject_id, source_id, namespace, subject)
values
    (20, null, 2, repeat('c3', 32)), (21, null, 2, repeat('d4', 32)), (22, 1, 3, '7'), (23, 1, 1, 'ann'),
    (24, 1, 5, 'sub-1'), (25, 1, 4, 'oracle-9'), (26, 1, 1, 'bea');

create function pg_temp.block(in_source integer, at bigint, last bigint, height bigint, mark text) returns void language sql as $$
    insert into log.events (position, source_id, height, block_hash, event_index, kind, body, occurred_at, recorded_at, digest)
    values (at, in_source, height, decode(repeat(mark, 32), 'hex'), 0, 1, '{}', timestamptz '2026-01-18T21:00:00Z' + height * interval '1 minute',
        clock_timestamp(), decode(repeat('00', 32), 'hex'));
    insert into log.log_units (end_position, first_position, source_id, height, block_hash, occurred_at, chain_hash)
    values (last, at, in_source, height, decode(repeat(mark, 32), 'hex'), timestamptz '2026-01-18T21:00:00Z' + height * interval '1 minute',
        sha256(last::text::bytea));
    insert into views.heads_versions (source_id, height, block_hash, block_time, first_height, genesis_hash, tx_total,
        links_verified, hashes_verified, signatures_verified, checks_refuted, unrecognized, complete, from_position, present)
    values (in_source, height, decode(repeat(mark, 32), 'hex'), timestamptz '2026-01-18T21:00:00Z' + height * interval '1 minute', 0, null,
        0, height, height, 0, 0, 0, true, last, true);
$$;

-- An event of the newest unit that holds its position.
create function pg_temp.event(at bigint, kind integer, subjects bigint[], roles smallint[], body text default '{}') returns void language sql as $$
    insert into log.events (position, source_id, height, block_hash, tx_id, tx_index, event_index, kind, body, occurred_at, recorded_at, digest)
    select at, u.source_id, u.height, u.block_hash, 'tx-' || at, 0, at - u.first_position, kind::smallint, convert_to(body, 'UTF8'), u.occurred_at,
        clock_timestamp(), decode(repeat('00', 32), 'hex')
    from log.log_units u where at between u.first_position and u.end_position;
    insert into log.event_subjects (subject_id, position, role)
    select subject, at, role from unnest(subjects, roles) s (subject, role);
$$;

create function pg_temp.identity(mark text, name text, at bigint, from_position bigint) returns void language sql as $$
    insert into views.identities_versions (identity_id, source_id, controller, key_alg, public_key, display_name, search_name,
        stats_visibility, created_at, updated_at, claim_position, from_position, present)
    values (decode(repeat(mark, 32), 'hex'), 1, lower(name), 'ed25519', '04', name, lower(name), 'public',
        timestamptz '2026-01-18T21:07:00Z', timestamptz '2026-01-18T21:07:00Z', at, from_position, true);
$$;

create function pg_temp.follow(follower text, following text, at bigint, from_position bigint, present boolean default true)
returns void language sql as $$
    insert into views.social_connections_versions (follower_id, following_id, source_id, created_at, claim_position, from_position, present)
    select decode(repeat(follower, 32), 'hex'), decode(repeat(following, 32), 'hex'), case when present then 1 end,
        case when present then timestamptz '2026-01-18T21:00:00Z' + at * interval '1 second' end, case when present then at end,
        from_position, present;
    insert into views.follow_claims_versions (source_id, follower_id, following_id, created_at, claim_position, from_position, present)
    select 1, follower_id, following_id, created_at, claim_position, c.from_position, c.present
    from views.social_connections_versions c
    where c.follower_id = decode(repeat(follower, 32), 'hex')
        and c.following_id = decode(repeat(following, 32), 'hex')
        and c.from_position = follow.from_position;
$$;

create function pg_temp.counts(mark text, followers bigint, following bigint, from_position bigint) returns void language sql as $$
    insert into views.social_counts_versions (identity_id, followers, following, from_position, present)
    values (decode(repeat(mark, 32), 'hex'), followers, following, from_position, true);
$$;

create function pg_temp.work(at bigint, address_id bigint, outcome text, accepted_position bigint default null) returns void language sql as $$
    insert into views.work_submissions (source_id, position, submission_id, is_rejection, outcome, accepted_position, address_id,
        miner_address, oracle_id, work_type, score, block_height, tx_id, occurred_at)
    select 1, at, 'sub-' || at, outcome = 'rejected', outcome, accepted_position, address_id, s.subject, 'oracle-9', 'boinc',
        case when outcome = 'accepted' then 1500000000 + at else 0 end, e.height, e.tx_id, e.occurred_at
    from log.subjects s, log.events e where s.subject_id = address_id and e.position = at;
$$;

create function pg_temp.worked(mark text, accepted bigint, rejected bigint, from_position bigint) returns void language sql as $$
    insert into views.identity_work_versions (identity_id, work_type, ranked, accepted, rejected, score, score_day, score_week, score_month,
        first_at, last_at, from_position, present)
    select decode(repeat(mark, 32), 'hex'), work_type, true, accepted, rejected, accepted * score, accepted * score, accepted * score,
        accepted * score, timestamptz '2026-01-18T21:08:00Z', timestamptz '2026-01-18T21:08:00Z', from_position, true
    from (values ('all', 1000000000), ('boinc', 1500000000)) t (work_type, score);
$$;

create function pg_temp.finding(at bigint, code text, subject text, counts boolean, from_position bigint, detail text default 'It is wrong.')
returns void language sql as $$
    insert into views.findings_versions (source_id, event_position, code, height, tx_id, subject, detail, occurred_at, counts, from_position, present)
    select e.source_id, at, code, e.height, e.tx_id, finding.subject, detail, e.occurred_at, counts, from_position, true
    from log.events e where e.position = at;
$$;

do $$
declare
    zoe constant text := 'a1';
    zoltan constant text := 'b2';
    ann constant text := 'c3';
    bea constant text := 'd4';
begin
    perform pg_temp.block(1, 32, 40, 7, '17');
    perform pg_temp.event(33, 8, '{20,23}', '{5,9}');
    perform pg_temp.event(34, 8, '{21}', '{5}');
    perform pg_temp.event(35, 11, '{20,23}', '{5,6}');
    perform pg_temp.event(36, 11, '{8,3}', '{5,6}');
    perform pg_temp.event(37, 13, '{6,20}', '{7,8}');
    perform pg_temp.event(38, 13, '{20,6}', '{7,8}');
    perform pg_temp.event(39, 13, '{8,20}', '{7,8}');
    perform pg_temp.event(40, 13, '{21,21,26}', '{7,8,1}');
    perform pg_temp.identity(ann, 'Ann', 33, 40);
    perform pg_temp.identity(bea, 'Bea', 34, 40);
    insert into views.wallet_links_versions (source_id, identity_id, address_id, wallet_address, link_type, proof_alg, proof_public_key,
        proof_signature, verdict, verdict_reason, trusted, created_at, claim_position, from_position, present)
    values
        (1, decode(repeat(ann, 32), 'hex'), 23, 'ann', 'main', 'ed25519', '04', '05', 1, null, false, timestamptz '2026-01-18T21:07:00Z', 35, 40, true),
        (1, decode(repeat(zoltan, 32), 'hex'), 3, 'carol', 'main', 'ed25519', '04', '05', 1, null, false, timestamptz '2026-01-18T21:07:00Z', 36, 40, true);
    insert into views.wallet_owners_versions (address_id, identity_id, source_id, claim_position, from_position, present)
    values (23, decode(repeat(ann, 32), 'hex'), 1, 35, 40, true), (3, decode(repeat(zoltan, 32), 'hex'), 1, 36, 40, true);
    perform pg_temp.follow(zoe, ann, 37, 40);
    perform pg_temp.follow(ann, zoe, 38, 40);
    perform pg_temp.follow(zoltan, ann, 39, 40);
    perform pg_temp.counts(ann, 2, 1, 40);
    perform pg_temp.counts(zoe, 1, 1, 40);
    perform pg_temp.counts(zoltan, 0, 1, 40);
    perform pg_temp.finding(40, 'self-follow', repeat(bea, 32), false, 40);
    perform pg_temp.finding(40, 'refuted-signature', 'bea', true, 40);
    insert into views.contested_wallets_versions (event_source_id, event_position, address_id, identity_id, owner_identity_id, detail, from_position, present)
    values (1, 28, 2, decode(repeat(zoltan, 32), 'hex'), decode(repeat(zoe, 32), 'hex'), 'It belongs to another identity.', 28, true);

    perform pg_temp.block(1, 41, 46, 8, '18');
    perform pg_temp.event(42, 24, '{23,25,24}', '{16,17,18}');
    perform pg_temp.event(43, 24, '{23,25,24}', '{16,17,18}');
    perform pg_temp.event(44, 17, '{22,20}', '{11,12}');
    perform pg_temp.event(45, 18, '{22,6}', '{11,13}',
        format('{"choice":"against","power":"9","proposal_id":"7","sender":"bob","voter":"%s"}', repeat(zoe, 32)));
    perform pg_temp.event(46, 22, '{6,20}', '{14,15}',
        format('{"amount":"0032","delegatee":"%s","delegator":"%s","sender":"bob"}', repeat(ann, 32), repeat(zoe, 32)));
    perform pg_temp.work(42, 23, 'accepted');
    perform pg_temp.work(43, 23, 'unproven');
    perform pg_temp.worked(ann, 1, 0, 46);
    insert into views.votes (source_id, position, proposal_id, voter_identity, vote_choice, claimed_power, vote_power, counts, cast_at)
    values (1, 45, 7, decode(repeat(zoe, 32), 'hex'), 'against', 9, 5, true, timestamptz '2026-01-18T21:08:00Z');
    perform pg_temp.finding(43, 'unregistered-oracle', 'oracle-9', false, 46);
    perform pg_temp.finding(45, 'claimed-too-much-power', repeat(zoe, 32), true, 46);
    insert into views.proposals_versions (source_id, proposal_id, proposer_identity, proposal_type, title, quorum, voting_starts_at,
        voting_ends_at, status, votes_for, votes_against, votes_abstain, voters, created_at, updated_at, claim_position, from_position, present)
    values (1, 7, decode(repeat(ann, 32), 'hex'), 'text', 'Streets & "lamps"', 0, timestamptz '2026-01-18T21:00:00Z', timestamptz '2026-01-19T21:00:00Z',
        'active', 0, 0, 0, 0, timestamptz '2026-01-18T21:08:00Z', timestamptz '2026-01-18T21:08:00Z', 44, 46, true);

    perform pg_temp.block(1, 47, 49, 9, '19');
    perform pg_temp.event(48, 14, '{8,20}', '{7,8}');
    perform pg_temp.event(49, 13, '{21,20}', '{7,8}');
    perform pg_temp.follow(zoltan, ann, null, 49, false);
    perform pg_temp.follow(bea, ann, 49, 49);
    perform pg_temp.counts(zoltan, 0, 0, 49);
    perform pg_temp.counts(bea, 0, 1, 49);
    perform pg_temp.finding(48, 'some-rule', repeat(zoltan, 32), true, 49);
    insert into log.events (position, source_id, event_index, kind, body, occurred_at, recorded_at, digest)
    values (50, 1, 0, 3, '{}', timestamptz '2026-01-18T21:30:00Z', clock_timestamp(), decode(repeat('00', 32), 'hex'));
    insert into log.log_units (end_position, first_position, source_id, occurred_at, chain_hash)
    values (50, 50, 1, timestamptz '2026-01-18T21:30:00Z', sha256('50'));
    insert into log.retractions (at_position, source_id, first_position, fork_height) values (50, 1, 47, 8);
    perform pg_temp.follow(zoltan, ann, 39, 50);
    perform pg_temp.follow(bea, ann, null, 50, false);
    perform pg_temp.counts(zoltan, 0, 1, 50);
    perform pg_temp.counts(bea, 0, 0, 50);
    insert into views.findings_versions (source_id, event_position, code, from_position, present) values (1, 48, 'some-rule', 50, false);

    perform pg_temp.block(1, 51, 53, 9, 'c9');
    perform pg_temp.event(52, 14, '{6,20}', '{7,8}');
    perform pg_temp.event(53, 24, '{3,25,24}', '{16,17,18}');
    perform pg_temp.work(53, 3, 'accepted');
    perform pg_temp.follow(zoe, ann, null, 53, false);
    perform pg_temp.counts(ann, 1, 1, 53);
    perform pg_temp.counts(zoe, 1, 0, 53);

    perform pg_temp.block(1, 54, 57, 10, '1a');
    perform pg_temp.event(55, 13, '{6,20}', '{7,8}');
    perform pg_temp.event(56, 24, '{23,25,24}', '{16,17,18}');
    perform pg_temp.event(57, 9, '{20,1}', '{5,9}');
    perform pg_temp.work(56, 23, 'accepted');
    perform pg_temp.worked(ann, 2, 0, 57);
    perform pg_temp.follow(zoe, ann, 55, 57);
    perform pg_temp.counts(ann, 2, 1, 57);
    perform pg_temp.counts(zoe, 1, 1, 57);
    perform pg_temp.finding(57, 'not-controller', repeat(ann, 32), false, 57);

    perform pg_temp.block(1, 58, 59, 11, '1b');
    perform pg_temp.event(59, 25, '{23,25,24}', '{16,17,18}');
    perform pg_temp.work(59, 23, 'rejected', 56);
    perform pg_temp.worked(ann, 1, 1, 59);

    perform pg_temp.block(2, 60, 61, 1, '21');
    perform pg_temp.event(61, 8, '{20,7}', '{5,9}');
    insert into views.contested_identities_versions (event_source_id, event_position, identity_id, winner_source_id, detail, from_position, present)
    values (2, 61, decode(repeat(ann, 32), 'hex'), 1, 'Another source had it before.', 61, true);

    perform log.publish(view, 0)
    from unnest(array['heads', 'identities', 'wallet_links', 'wallet_owners', 'social_connections', 'social_counts', 'findings',
        'contested_wallets', 'contested_identities', 'proposals', 'identity_work']) view;
end
$$;

update log.log_head set position = 61, chain_hash = sha256('61'::bytea);
update views.watermark set position = 61, chain_hash = sha256('61'::bytea), moved_at = clock_timestamp();
update views.view_state set position = 61, changed_position = 61, changed_hash = sha256('61'::bytea);
