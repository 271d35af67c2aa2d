-- A small network written down by hand: a Chert chain `chert` with two forks, a real-world-like chain `hub`, two
-- identities that claim the same wallet. Amounts are powers of two, so that a lost or doubled transfer shows in the digits.
--
-- 1-2 block 0: alice 64 | 3-4 block 1: alice -> bob 2 | 5-6 block 2: alice -> carol 4 | 7 fork back to 1
-- 8-9 block 2': alice -> dave 8 | 10-14 block 3: Zoe registers and links bob | 15-16 hub's block 0 | 17 hub reports
-- 18-20 block 4: Zoe takes another name | 21 fork back to 3 | 22 block 4' | 23 finalized to 2
-- 24-28 block 5: Zoltan registers and claims bob as well | 29-31 block 6: addresses that differ in case only

set search_path = views, log, public;

insert into log.event_kinds (kind, name)
values
    (1, 'chain.block_applied'), (2, 'chain.transaction_applied'), (3, 'chain.retracted'), (4, 'chain.finalized'),
    (5, 'chain.allocated'), (7, 'account.reported'), (8, 'identity.registered'), (9, 'identity.updated'),
    (11, 'identity.wallet_linked')
on conflict do nothing;

insert into log.sources (source_id, name, kind, chain_id, trusted, off_block_state, start_height, symbol, decimals)
values
    (1, 'chert', 'chert', 'chert-test', false, false, 0, 'CHERT', 9),
    (2, 'hub', 'aitbc', 'ait-hub', false, true, 0, 'AIT', 8);

insert into log.source_state (source_id, cursor_height, finalized_height, tip_height, tip_seen_at, state, progress_at, ahead_since,
    configured_order)
values
    (1, 6, 2, 9, clock_timestamp(), 'following', clock_timestamp(), clock_timestamp(), 0),
    (2, 0, null, 0, clock_timestamp(), 'following', clock_timestamp(), null, 1);

insert into log.subjects (subject_id, source_id, namespace, subject)
values
    (1, 1, 1, 'alice'), (2, 1, 1, 'bob'), (3, 1, 1, 'carol'), (4, 1, 1, 'dave'),
    (5, 1, 1, '0x0000000000000000000000000000000000000003'),
    (6, null, 2, repeat('a1', 32)),
    (7, 2, 1, '0xea0a973af4ebee8528af4792590752bca91d9d81'),
    (8, null, 2, repeat('b2', 32)),
    (9, 1, 1, '0xABCDEF0000000000000000000000000000000001'),
    (10, 1, 1, '0xabcdef0000000000000000000000000000000001'),
    (11, 1, 1, '0xFEED000000000000000000000000000000000002');

create function pg_temp.block_body(height bigint, hash text, parent text, txs integer) returns bytea language sql as $$
    select convert_to(format(
        '{"checks":{"hash":{"verdict":"verified"},"link":{"verdict":"verified"}},"hash":"%s","height":"%s","parent_hash":"%s",'
        '"signature":"ab","time":"2026-01-18T21:02:05Z","tx_count":"%s","validator":"VAL1"}',
        hash, height, parent, txs), 'UTF8')
$$;

create function pg_temp.tx_body(sender text, recipient text, amount bigint, fee bigint, tx_type text) returns bytea language sql as $$
    select convert_to(format(
        '{"amount":"%s","checks":{"signature":{"reason":"no rule is known","verdict":"unverifiable"}},"data":"{\"v\":1}","fee":"%s",'
        '"memo_digest":"aa","nonce":"1","public_key":"04","recipient":"%s","sender":"%s","signature":"05",'
        '"status":"confirmed","time":"2026-01-18T21:02:05Z","tx_id":"x","type":"%s"}',
        amount, fee, recipient, sender, tx_type), 'UTF8')
$$;

create function pg_temp.block(in_source integer, at bigint, last bigint, height bigint, mark text, parent text, txs integer)
returns void language sql as $$
    insert into log.events (position, source_id, height, block_hash, event_index, kind, body, verdict, occurred_at, recorded_at, digest)
    values (at, in_source, height, decode(repeat(mark, 32), 'hex'), 0, 1, pg_temp.block_body(height, repeat(mark, 32), repeat(parent, 32), txs), 1,
        timestamptz '2026-01-18T21:00:00Z' + height * interval '1 minute', clock_timestamp(), decode(repeat('00', 32), 'hex'));
    insert into log.log_units (end_position, first_position, source_id, height, block_hash, occurred_at, chain_hash)
    values (last, at, in_source, height, decode(repeat(mark, 32), 'hex'),
        timestamptz '2026-01-18T21:00:00Z' + height * interval '1 minute', sha256(last::text::bytea));
    insert into views.blocks (source_id, position, end_position, height, hash, parent_hash, block_time, validator_address, tx_count, verdict)
    values (in_source, at, last, height, decode(repeat(mark, 32), 'hex'), decode(nullif(repeat(parent, 32), ''), 'hex'),
        timestamptz '2026-01-18T21:00:00Z' + height * interval '1 minute', 'VAL1', txs, 1);
    insert into views.heads_versions (source_id, height, block_hash, block_time, first_height, genesis_hash, tx_total,
        links_verified, hashes_verified, signatures_verified, checks_refuted, unrecognized, complete, from_position, present)
    select in_source, height, decode(repeat(mark, 32), 'hex'), timestamptz '2026-01-18T21:00:00Z' + height * interval '1 minute', 0, null,
        (select count(*) from views.transactions t where t.source_id = in_source and log.stands(in_source, t.position, at)) + txs,
        height, height, 0, 0, 0, true, last, true;
$$;

create function pg_temp.tx(in_source integer, block_at bigint, at bigint, tx_id text, sender text, recipient text, amount bigint, fee bigint, tx_type text)
returns void language sql as $$
    insert into log.events (position, source_id, height, block_hash, tx_id, tx_index, event_index, kind, body, verdict, occurred_at, recorded_at, digest)
    select at, in_source, b.height, b.hash, tx.tx_id, at - block_at - 1, at - block_at, 2, pg_temp.tx_body(sender, recipient, amount, fee, tx_type), 3,
        b.block_time, clock_timestamp(), decode(repeat('00', 32), 'hex')
    from views.blocks b where b.source_id = in_source and b.position = block_at;
    insert into views.transactions (source_id, position, tx_id, block_height, block_hash, block_time, tx_index, sender, recipient,
        amount, fee, nonce, tx_type, status, verdict)
    select in_source, at, tx.tx_id, b.height, b.hash, b.block_time, at - block_at - 1, sender, recipient, amount, fee, 1, tx_type, 'confirmed', 3
    from views.blocks b where b.source_id = in_source and b.position = block_at;
    insert into log.event_subjects (subject_id, position, role)
    select s.subject_id, at, role
    from (values (sender, 1::smallint), (recipient, 2::smallint)) named (subject, role)
    join log.subjects s on s.source_id = in_source and s.namespace = 1 and s.subject = named.subject;
$$;

create function pg_temp.event(in_source integer, block_at bigint, at bigint, tx_id text, kind integer, body text, subjects bigint[], roles smallint[])
returns void language sql as $$
    insert into log.events (position, source_id, height, block_hash, tx_id, tx_index, event_index, kind, body, occurred_at, recorded_at, digest)
    select at, in_source, b.height, b.hash, event.tx_id, case when event.tx_id is not null then 0 end, at - coalesce(block_at, at), kind::smallint, convert_to(body, 'UTF8'),
        coalesce(b.block_time, timestamptz '2026-01-18T21:30:00Z'), clock_timestamp(), decode(repeat('00', 32), 'hex')
    from (select 1) one left join views.blocks b on b.source_id = in_source and b.position = block_at;
    insert into log.event_subjects (subject_id, position, role)
    select subject, at, role from unnest(subjects, roles) s (subject, role);
$$;

create function pg_temp.unit(in_source integer, at bigint) returns void language sql as $$
    insert into log.log_units (end_position, first_position, source_id, occurred_at, chain_hash)
    values (at, at, in_source, timestamptz '2026-01-18T21:30:00Z', sha256(at::text::bytea));
$$;

create function pg_temp.balance(at bigint, address_id bigint, balance bigint, received bigint, sent bigint, fees bigint, minted bigint,
    txs bigint, first bigint, last bigint) returns void language sql as $$
    insert into views.balances_versions (source_id, address_id, address, balance, received, sent, fees_paid, minted, staked, nonce,
        tx_count, first_height, last_height, from_position, present)
    select s.source_id, s.subject_id, s.subject, balance, received, sent, fees, minted, 0, 1, txs, first, last, at, true
    from log.subjects s where s.subject_id = address_id;
$$;

do $$
declare
    zoe constant text := repeat('a1', 32);
    zoltan constant text := repeat('b2', 32);
begin
    perform pg_temp.block(1, 1, 2, 0, '10', '', 0);
    perform pg_temp.event(1, 1, 2, null, 5, '{"address":"alice","amount":"64"}', '{1}', '{3}');
    perform pg_temp.balance(2, 1, 64, 0, 0, 0, 64, 0, 0, 0);

    perform pg_temp.block(1, 3, 4, 1, '11', '10', 1);
    perform pg_temp.tx(1, 3, 4, '00000000-0000-4000-8000-000000000001', 'alice', 'bob', 2, 1, 'transfer');
    perform pg_temp.balance(4, 1, 61, 0, 2, 1, 64, 1, 0, 1);
    perform pg_temp.balance(4, 2, 2, 2, 0, 0, 0, 1, 1, 1);
    perform pg_temp.balance(4, 5, 1, 1, 0, 0, 0, 0, 1, 1);

    perform pg_temp.block(1, 5, 6, 2, 'b2', '11', 1);
    perform pg_temp.tx(1, 5, 6, '00000000-0000-4000-8000-000000000002', 'alice', 'carol', 4, 1, 'transfer');
    perform pg_temp.balance(6, 1, 56, 0, 6, 2, 64, 2, 0, 2);
    perform pg_temp.balance(6, 3, 4, 4, 0, 0, 0, 1, 2, 2);
    perform pg_temp.balance(6, 5, 2, 2, 0, 0, 0, 0, 1, 2);

    perform pg_temp.event(1, null, 7, null, 3,
        '{"first_position":"5","fork_height":"1","old_head_hash":"b2","old_head_height":"2","reason":"fork"}', '{}', '{}');
    perform pg_temp.unit(1, 7);
    insert into log.retractions (at_position, source_id, first_position, fork_height) values (7, 1, 5, 1);
    perform log.restore(view, 1, 5, 7) from unnest(array['balances', 'heads']) view;

    perform pg_temp.block(1, 8, 9, 2, 'c2', '11', 1);
    perform pg_temp.tx(1, 8, 9, '00000000-0000-4000-8000-000000000003', 'alice', 'dave', 8, 1, 'transfer');
    perform pg_temp.balance(9, 1, 52, 0, 10, 2, 64, 2, 0, 2);
    perform pg_temp.balance(9, 4, 8, 8, 0, 0, 0, 1, 2, 2);
    perform pg_temp.balance(9, 5, 2, 2, 0, 0, 0, 0, 1, 2);

    perform pg_temp.block(1, 10, 14, 3, '13', 'c2', 2);
    perform pg_temp.tx(1, 10, 11, '00000000-0000-4000-8000-000000000004', 'bob', 'bob', 0, 0, 'identity.register');
    perform pg_temp.event(1, 10, 12, '00000000-0000-4000-8000-000000000004', 8, '{}', '{6}', '{5}');
    perform pg_temp.tx(1, 10, 13, '00000000-0000-4000-8000-000000000005', 'bob', 'bob', 0, 0, 'identity.link_wallet');
    perform pg_temp.event(1, 10, 14, '00000000-0000-4000-8000-000000000005', 11, '{}', '{6,2}', '{5,6}');
    perform pg_temp.balance(14, 2, 2, 2, 0, 0, 0, 3, 1, 3);
    insert into views.identities_versions (identity_id, source_id, controller, key_alg, public_key, display_name, search_name,
        avatar_hash, bio, stats_visibility, created_at, updated_at, claim_position, from_position, present)
    values (decode(zoe, 'hex'), 1, 'bob', 'ed25519', '04', 'Zoë', 'zoe', '\xcafe', 'first', 'public',
        timestamptz '2026-01-18T21:03:00Z', timestamptz '2026-01-18T21:03:00Z', 12, 14, true);
    insert into views.identity_claims_versions (source_id, identity_id, controller, key_alg, public_key, display_name, search_name,
        avatar_hash, bio, stats_visibility, created_at, updated_at, claim_position, from_position, present)
    select source_id, identity_id, controller, key_alg, public_key, display_name, search_name,
        avatar_hash, bio, stats_visibility, created_at, updated_at, claim_position, from_position, present
    from views.identities_versions;
    insert into views.wallet_links_versions (source_id, identity_id, address_id, wallet_address, link_type, proof_alg, proof_public_key,
        proof_signature, verdict, verdict_reason, trusted, created_at, claim_position, from_position, present)
    values (1, decode(zoe, 'hex'), 2, 'bob', 'main', 'ed25519', '04', '05', 1, null, false,
        timestamptz '2026-01-18T21:03:00Z', 14, 14, true);
    insert into views.wallet_owners_versions (address_id, identity_id, source_id, claim_position, from_position, present)
    values (2, decode(zoe, 'hex'), 1, 14, 14, true);

    perform pg_temp.block(2, 15, 16, 0, '20', '', 0);
    perform pg_temp.event(2, 15, 16, null, 5, '{"address":"ait1ea0a973af4ebee8528af4792590752bca91d9d81","amount":"1024"}', '{7}', '{3}');
    perform pg_temp.balance(16, 7, 1024, 0, 0, 0, 1024, 0, 0, 0);
    perform pg_temp.event(2, null, 17, null, 6 + 1,
        '{"address":"0xea0a973af4ebee8528af4792590752bca91d9d81","balance":"1088","height_after":"0","height_before":"0"}', '{7}', '{4}');
    perform pg_temp.unit(2, 17);
    insert into views.reported_balances_versions (source_id, address_id, address, reported_balance, nonce, height_before, height_after,
        reported_at, from_position, present)
    values (2, 7, '0xea0a973af4ebee8528af4792590752bca91d9d81', 1088, 0, 0, 0, timestamptz '2026-01-18T21:30:00Z', 17, true);

    perform pg_temp.block(1, 18, 20, 4, 'b4', '13', 1);
    perform pg_temp.tx(1, 18, 19, '00000000-0000-4000-8000-000000000006', 'bob', 'bob', 0, 0, 'identity.update');
    perform pg_temp.event(1, 18, 20, '00000000-0000-4000-8000-000000000006', 9, '{}', '{6}', '{5}');
    perform pg_temp.balance(20, 2, 2, 2, 0, 0, 0, 4, 1, 4);
    insert into views.identities_versions (identity_id, source_id, controller, key_alg, public_key, display_name, search_name,
        avatar_hash, bio, stats_visibility, created_at, updated_at, claim_position, from_position, present)
    select identity_id, source_id, controller, key_alg, public_key, 'Queen', 'queen', avatar_hash, null, stats_visibility, created_at,
        timestamptz '2026-01-18T21:04:00Z', claim_position, 20, true
    from views.identities_versions where from_position = 14;

    perform pg_temp.event(1, null, 21, null, 3,
        '{"first_position":"18","fork_height":"3","old_head_hash":"b4","old_head_height":"4","reason":"fork"}', '{}', '{}');
    perform pg_temp.unit(1, 21);
    insert into log.retractions (at_position, source_id, first_position, fork_height) values (21, 1, 18, 3);
    perform log.restore(view, 1, 18, 21) from unnest(array['balances', 'heads', 'identities']) view;

    perform pg_temp.block(1, 22, 22, 4, 'c4', '13', 0);
    perform pg_temp.event(1, null, 23, null, 4, '{"rule":"depth","through_height":"2"}', '{}', '{}');
    perform pg_temp.unit(1, 23);
    insert into views.finality_versions (source_id, finalized_height, rule, from_position, present) values (1, 2, 'depth', 23, true);

    perform pg_temp.block(1, 24, 28, 5, '15', 'c4', 2);
    perform pg_temp.tx(1, 24, 25, '00000000-0000-4000-8000-000000000007', 'carol', 'carol', 0, 0, 'identity.register');
    perform pg_temp.event(1, 24, 26, '00000000-0000-4000-8000-000000000007', 8, '{}', '{8}', '{5}');
    perform pg_temp.tx(1, 24, 27, '00000000-0000-4000-8000-000000000008', 'carol', 'carol', 0, 0, 'identity.link_wallet');
    perform pg_temp.event(1, 24, 28, '00000000-0000-4000-8000-000000000008', 11, '{}', '{8,2}', '{5,6}');
    perform pg_temp.balance(28, 3, 0, 0, 0, 0, 0, 2, 5, 5);
    insert into views.identities_versions (identity_id, source_id, controller, key_alg, public_key, display_name, search_name,
        avatar_hash, bio, stats_visibility, created_at, updated_at, claim_position, from_position, present)
    values (decode(zoltan, 'hex'), 1, 'carol', 'ml-dsa-65', '06', 'Zoltan 100%', 'zoltan 100%', null, null, 'private',
        timestamptz '2026-01-18T21:05:00Z', timestamptz '2026-01-18T21:05:00Z', 26, 28, true);
    insert into views.wallet_links_versions (source_id, identity_id, address_id, wallet_address, link_type, proof_alg, proof_public_key,
        proof_signature, verdict, verdict_reason, trusted, created_at, claim_position, from_position, present)
    values (1, decode(zoltan, 'hex'), 2, 'bob', 'mining', 'ml-dsa-65', '06', '07', 3, 'no verifier for ml-dsa-65', false,
        timestamptz '2026-01-18T21:05:00Z', 28, 28, true);

    perform pg_temp.block(1, 29, 31, 6, '16', '15', 2);
    perform pg_temp.tx(1, 29, 30, 'ab' || repeat('12', 31), '0xABCDEF0000000000000000000000000000000001', '0xabcdef0000000000000000000000000000000001', 0, 0, 'transfer');
    perform pg_temp.tx(1, 29, 31, '00000000-0000-4000-8000-000000000009', '0xFEED000000000000000000000000000000000002', 'bob', 0, 0, 'transfer');
    perform pg_temp.balance(31, 11, 0, 0, 0, 0, 0, 1, 6, 6);

    perform log.publish(view, 0)
    from unnest(array['balances', 'heads', 'finality', 'reported_balances', 'identities', 'identity_claims', 'wallet_links', 'wallet_owners']) view;
end
$$;

update log.log_head set position = 31, chain_hash = sha256('31'::bytea);
update views.watermark set position = 31, chain_hash = sha256('31'::bytea), moved_at = clock_timestamp();
insert into views.view_state (view, version, position, changed_position, changed_hash, state)
select view, 1, 31, 31, sha256('31'::bytea), 'live'
from unnest(array['blocks', 'transactions', 'heads', 'finality', 'balances', 'supply', 'reported_balances', 'identity_claims',
    'identities', 'wallet_links', 'wallet_owners', 'findings', 'contested_wallets']) view;
