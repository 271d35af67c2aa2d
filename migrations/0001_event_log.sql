-- The event log: append-only, dense positions, one fenced writer.
-- docs/log-format.md specifies the bytes behind `body`, `digest` and `chain_hash`.

create schema log;
create schema views;
comment on schema log is 'The append-only event log and the appender''s own state.';
comment on schema views is 'What projections derive from the log; can be dropped and rebuilt from it at any time.';

create table log.sources (
    source_id integer primary key,
    name text not null unique,
    kind text not null,
    chain_id text,
    trusted boolean not null,
    off_block_state boolean not null,
    start_height bigint not null,
    symbol text not null,
    decimals integer not null,
    created_at timestamptz not null default clock_timestamp()
);
comment on table log.sources is 'Every source ever followed. Folding depends on these facts, so they never change once written.';
comment on column log.sources.source_id is 'Small number that stands for the source everywhere else.';
comment on column log.sources.name is 'The operator''s name for the source; the value of chain= in requests.';
comment on column log.sources.kind is 'Which protocol and which rules apply: chert, aitbc or scripted.';
comment on column log.sources.chain_id is 'Chain id that signatures cover; null when unknown, which makes them unverifiable.';
comment on column log.sources.trusted is 'Whether unverifiable wallet links of this source count.';
comment on column log.sources.off_block_state is 'Whether balances of this chain also change outside its blocks.';
comment on column log.sources.start_height is 'First height that is followed; above 0 all-time numbers are incomplete.';
comment on column log.sources.symbol is 'Symbol of the chain''s money; empty when it has none.';
comment on column log.sources.decimals is 'Digits behind the point when amounts are shown; amounts here are always base units.';
comment on column log.sources.created_at is 'When this database first followed the source.';

create table log.source_state (
    source_id integer primary key references log.sources,
    cursor_height bigint,
    cursor_hash bytea,
    finalized_height bigint,
    tip_height bigint,
    tip_hash bytea,
    tip_seen_at timestamptz,
    state text not null default 'backfilling',
    last_error text,
    last_error_at timestamptz,
    error_count bigint not null default 0,
    progress_at timestamptz,
    ahead_since timestamptz,
    configured_order integer,
    required boolean not null default true,
    paused boolean not null default false,
    accepted_fork_height bigint,
    snapshot bytea
) with (fillfactor = 50);
comment on table log.source_state is 'Where the appender stands with each source; the cursor moves in the append transaction.';
comment on column log.source_state.cursor_height is 'Height of the newest standing block in the log; null before the first.';
comment on column log.source_state.cursor_hash is 'Hash of that block.';
comment on column log.source_state.finalized_height is 'Highest height that cannot be retracted without an operator; never goes down.';
comment on column log.source_state.tip_height is 'Newest height that the node has named.';
comment on column log.source_state.tip_hash is 'Hash of that block, where the node names it.';
comment on column log.source_state.tip_seen_at is 'When the node last answered for its tip.';
comment on column log.source_state.state is 'backfilling, following, stalled, halted or paused.';
comment on column log.source_state.last_error is 'What went wrong last, in a plain sentence; null after recovery.';
comment on column log.source_state.last_error_at is 'When that was.';
comment on column log.source_state.error_count is 'How many answers were refused or failed, ever.';
comment on column log.source_state.progress_at is 'When the cursor last moved.';
comment on column log.source_state.ahead_since is 'Since when the node''s tip has been ahead of the cursor; null while it is not.';
comment on column log.source_state.configured_order is 'Place in the settings, from 0; null when the running indexer does not follow the source.';
comment on column log.source_state.required is 'Whether readiness depends on this source.';
comment on column log.source_state.paused is 'Whether an operator has paused this source.';
comment on column log.source_state.accepted_fork_height is 'Fork below the finalized height that the operator accepted; used once.';
comment on column log.source_state.snapshot is 'Last stored snapshot of a keyed-snapshot source.';

create table log.log_head (
    only_row boolean primary key default true check (only_row),
    position bigint not null,
    chain_hash bytea not null,
    next_subject_id bigint not null,
    epoch bigint not null,
    holder text not null,
    lease_until timestamptz not null
) with (fillfactor = 50);
comment on table log.log_head is 'The one row that hands out positions. Readers stop at its position: everything up to it is committed.';
comment on column log.log_head.only_row is 'Makes a second row impossible.';
comment on column log.log_head.position is 'Newest position in the log; positions are dense and start at 1.';
comment on column log.log_head.chain_hash is 'Running hash up to that position.';
comment on column log.log_head.next_subject_id is 'Next number for a subject not seen before.';
comment on column log.log_head.epoch is 'Raised by each new appender; appends of an older epoch match no row.';
comment on column log.log_head.holder is 'Who appends, for operators to read.';
comment on column log.log_head.lease_until is 'When a standby may take the next epoch.';
insert into log.log_head (position, chain_hash, next_subject_id, epoch, holder, lease_until)
values (0, decode(repeat('00', 32), 'hex'), 1, 0, '', '-infinity');

create table log.events (
    position bigint not null,
    source_id integer not null,
    height bigint,
    block_hash bytea,
    tx_id text,
    tx_index integer,
    event_index integer not null,
    kind smallint not null,
    body bytea not null,
    verdict smallint,
    occurred_at timestamptz not null,
    recorded_at timestamptz not null,
    digest bytea not null,
    primary key (position)
) partition by range (position);
comment on table log.events is 'Every event, in the one order that all chains and oracles share.';
comment on column log.events.position is 'Place in the log: dense, starting at 1.';
comment on column log.events.source_id is 'Source that the event comes from.';
comment on column log.events.height is 'Block height; null for records that are not part of a block.';
comment on column log.events.block_hash is 'Hash of the block that carried the event.';
comment on column log.events.tx_id is 'Transaction that carried the event, normalised; null for block-level events.';
comment on column log.events.tx_index is 'Index of that transaction in its block, from 0.';
comment on column log.events.event_index is 'Index of the event in its unit, from 0.';
comment on column log.events.kind is 'Number of the kind; log.event_kinds has the names.';
comment on column log.events.body is 'Canonical JSON (RFC 8785; no JSON numbers) as UTF-8 bytes.';
comment on column log.events.verdict is '1 verified, 2 refuted, 3 unverifiable; null where nothing is claimed. The worst of the checks in the body.';
comment on column log.events.occurred_at is 'Block or record time, cut to microseconds.';
comment on column log.events.recorded_at is 'When this database stored the event; the only column that no digest covers.';
comment on column log.events.digest is 'SHA-256 leaf over the canonical bytes of every other column.';
create index events_source_position on log.events (source_id, position);
create index events_kind_position on log.events (kind, position);

create table log.event_kinds (
    kind smallint primary key,
    name text not null unique
);
comment on table log.event_kinds is 'Names of the event kinds, for people who read the log with SQL.';
comment on column log.event_kinds.kind is 'Number in log.events.kind.';
comment on column log.event_kinds.name is 'Name on the wire, in filters and in digests.';

create table log.subjects (
    subject_id bigint primary key,
    source_id integer,
    namespace smallint not null,
    subject text not null
);
comment on table log.subjects is 'Everything an event can be about. Numbers come from the log alone, so they survive a rebuild.';
comment on column log.subjects.subject_id is 'Number of the subject: dense, starting at 1.';
comment on column log.subjects.source_id is 'Source that owns the name; null for names that all sources share (identities).';
comment on column log.subjects.namespace is '1 address, 2 identity, 3 proposal, 4 oracle, 5 submission.';
comment on column log.subjects.subject is 'The name, normalised by the source''s own rule.';
create unique index subjects_name on log.subjects (namespace, subject, (coalesce(source_id, 0)));
create index subjects_name_folded on log.subjects (lower(subject) text_pattern_ops, namespace);

create table log.event_subjects (
    subject_id bigint not null,
    position bigint not null,
    role smallint not null,
    primary key (subject_id, position, role)
);
comment on table log.event_subjects is 'Which events are about which subjects, and how.';
comment on column log.event_subjects.subject_id is 'The subject.';
comment on column log.event_subjects.position is 'The event.';
comment on column log.event_subjects.role is 'What the subject is in it (sender, recipient, voter, …).';
create index event_subjects_position on log.event_subjects (position);

create table log.log_units (
    end_position bigint primary key,
    first_position bigint not null,
    source_id integer not null,
    height bigint,
    block_hash bytea,
    occurred_at timestamptz not null,
    chain_hash bytea not null
);
comment on table log.log_units is 'One row per block, poll or retraction: what was appended as one whole.';
comment on column log.log_units.end_position is 'Last position of the unit.';
comment on column log.log_units.first_position is 'First position of the unit.';
comment on column log.log_units.source_id is 'Source of the unit.';
comment on column log.log_units.height is 'Height, when the unit is a block.';
comment on column log.log_units.block_hash is 'Hash, when the unit is a block.';
comment on column log.log_units.occurred_at is 'Block or record time.';
comment on column log.log_units.chain_hash is 'SHA-256 of the previous chain_hash and the digests of the unit.';
create index log_units_height on log.log_units (source_id, height, end_position desc) where height is not null;
create index log_units_hash on log.log_units (block_hash) where block_hash is not null;

create table log.retractions (
    at_position bigint primary key,
    source_id integer not null,
    first_position bigint not null,
    fork_height bigint not null
);
comment on table log.retractions is 'What no longer stands, from when on.';
comment on column log.retractions.at_position is 'Position of the chain.retracted event.';
comment on column log.retractions.source_id is 'Source whose blocks were replaced.';
comment on column log.retractions.first_position is 'Blocks of the source at positions from here up to at_position no longer stand.';
comment on column log.retractions.fork_height is 'Newest height that both branches share.';
create index retractions_source on log.retractions (source_id, first_position, at_position);

-- Append-only for everybody, the owner's mistakes included. A TRUNCATE trigger is not inherited, so each partition has its own.
create function log.refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'the event log is append-only: % on %.% is refused', tg_op, tg_table_schema, tg_table_name
        using errcode = 'insufficient_privilege';
end
$$;
comment on function log.refuse_change() is 'Trigger that refuses UPDATE, DELETE and TRUNCATE.';

create function log.protect(target regclass) returns void language plpgsql as $$
begin
    execute format('create trigger append_only before update or delete or truncate on %s for each statement execute function log.refuse_change()', target);
end
$$;
comment on function log.protect(regclass) is 'Makes one table of the log append-only.';

select log.protect(t::regclass)
from unnest(array['log.sources', 'log.events', 'log.subjects', 'log.event_subjects', 'log.log_units', 'log.retractions']) t;

-- Partitions are made ahead of the head by the owner's rights, so that the indexer's role needs none.
create function log.ensure_partitions(up_to bigint) returns integer language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    size constant bigint := 50000000;
    start bigint;
    made integer := 0;
    name text;
begin
    for start in select generate_series(0, (greatest(up_to, 0) / size) * size, size) loop
        name := 'events_' || lpad((start / size)::text, 6, '0');
        if to_regclass('log.' || name) is null then
            execute format('create table log.%I partition of log.events for values from (%s) to (%s)', name, start, start + size);
            execute format('create trigger append_only before update or delete or truncate on log.%I for each statement execute function log.refuse_change()', name);
            made := made + 1;
        end if;
    end loop;
    return made;
end
$$;
comment on function log.ensure_partitions(bigint) is 'Creates the missing partitions of log.events up to a position; returns how many.';
revoke all on function log.ensure_partitions(bigint) from public;
select log.ensure_partitions(50000000);

-- Whether something that a source appended at a position stands at a later position.
create function log.stands(in_source integer, in_position bigint, as_of bigint) returns boolean language sql stable parallel safe as $$
    select not exists (
        select 1
        from log.retractions r
        where r.source_id = in_source
            and r.first_position <= in_position
            and r.at_position > in_position
            and r.at_position <= as_of
    )
$$;
comment on function log.stands(integer, bigint, bigint) is 'False when a chain.retracted up to as_of covers the position.';

create function log.create_role(role text) returns void language plpgsql as $$
begin
    execute format('create role %I login', role);
    execute format('grant %I to %I', role, current_user);
end
$$;
comment on function log.create_role(text) is 'Creates a role without a password, and makes the caller a member of it.';

create function log.grant_roles(indexer text, reader text) returns void language plpgsql as $$
declare
    t record;
begin
    execute format('grant usage on schema log to %I, %I', indexer, reader);
    execute format('grant select on all tables in schema log to %I, %I', indexer, reader);
    execute format('alter default privileges in schema log grant select on tables to %I, %I', indexer, reader);
    execute format('grant insert on log.sources, log.events, log.subjects, log.event_subjects, log.log_units, log.retractions, log.event_kinds to %I', indexer);
    execute format('grant update on log.log_head to %I', indexer);
    execute format('grant insert, update on log.source_state to %I', indexer);
    execute format('grant execute on function log.ensure_partitions(bigint) to %I', indexer);
    execute format('grant create on database %I to %I', current_database(), indexer);
    execute format('grant usage, create on schema views to %I', indexer);
    for t in select c.oid::regclass as name, c.relkind from pg_class c where c.relnamespace = 'views'::regnamespace and c.relkind in ('r', 'S', 'p') loop
        execute format('alter table %s owner to %I', t.name, indexer);
    end loop;
    for t in select p.oid::regprocedure as name from pg_proc p where p.pronamespace = 'views'::regnamespace loop
        execute format('alter function %s owner to %I', t.name, indexer);
    end loop;
    execute format('alter schema views owner to %I', indexer);
    execute format('grant usage on schema views to %I', reader);
    execute format('grant select on all tables in schema views to %I', reader);
end
$$;
comment on function log.grant_roles(text, text) is 'Gives the indexer and the reader exactly what they need. Run after every migration.';
