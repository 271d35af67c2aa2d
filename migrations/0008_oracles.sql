-- Who validates useful work, and how well (MEANING §5).

set search_path = views, log;

create table oracles (
    source_id integer not null,
    oracle_id text not null,
    name text not null,
    oracle_address text not null,
    key_alg text not null,
    public_key text not null,
    registered_at timestamptz not null,
    slashed numeric(39, 0) not null,
    slash_count bigint not null,
    claim_position bigint not null
);
comment on table oracles is 'Registered oracles: the first registration of an id by the origin account.';
comment on column oracles.source_id is 'Source that registered it.';
comment on column oracles.oracle_id is 'Its id there.';
comment on column oracles.name is 'Name to show.';
comment on column oracles.oracle_address is 'Account that speaks for it, canonical.';
comment on column oracles.key_alg is 'Algorithm of its key.';
comment on column oracles.public_key is 'Key that it signs with, hex.';
comment on column oracles.registered_at is 'Block time of the registration.';
comment on column oracles.slashed is 'Base units that it was slashed by in all; moves no balance by itself.';
comment on column oracles.slash_count is 'How often it was slashed.';
comment on column oracles.claim_position is 'Position of the registration.';
select log.versioned('oracles', array['source_id', 'oracle_id']);

create table oracle_activity (
    source_id integer not null,
    oracle_id text not null,
    accepted bigint not null,
    rejected bigint not null,
    overturned bigint not null,
    refuted bigint not null,
    unproven bigint not null,
    repeated bigint not null,
    latency_count bigint not null,
    first_at timestamptz,
    last_at timestamptz
);
comment on table oracle_activity is 'What each oracle has done, registered or not: one row per id that any work names or that is registered.';
comment on column oracle_activity.source_id is 'Source.';
comment on column oracle_activity.oracle_id is 'The oracle.';
comment on column oracle_activity.accepted is 'Submissions that it validated and that counted when they came; also those rejected later.';
comment on column oracle_activity.rejected is 'Rejections of its own.';
comment on column oracle_activity.overturned is 'Those of its rejections that took out a submission which it had validated before.';
comment on column oracle_activity.refuted is 'Submissions with a signature in its name that does not hold.';
comment on column oracle_activity.unproven is 'Submissions and rejections in its name that nothing proves to be its own.';
comment on column oracle_activity.repeated is 'Submissions with an id that had counted before.';
comment on column oracle_activity.latency_count is 'Accepted submissions that state when they were handed in and when they were validated, in that order.';
comment on column oracle_activity.first_at is 'Block time of its first accepted submission or rejection.';
comment on column oracle_activity.last_at is 'Block time of its last accepted submission or rejection.';
select log.versioned('oracle_activity', array['source_id', 'oracle_id']);

create table oracle_types (
    source_id integer not null,
    oracle_id text not null,
    work_type text not null,
    accepted bigint not null,
    rejected bigint not null,
    refuted bigint not null,
    unproven bigint not null
);
comment on table oracle_types is 'Shares of an oracle''s work, and of what is said in its name, by type.';
comment on column oracle_types.source_id is 'Source.';
comment on column oracle_types.oracle_id is 'The oracle.';
comment on column oracle_types.work_type is 'Type of work as the record spells it.';
comment on column oracle_types.accepted is 'Accepted submissions of the type.';
comment on column oracle_types.rejected is 'Rejections of the type.';
comment on column oracle_types.refuted is 'Submissions of the type with a signature in its name that does not hold.';
comment on column oracle_types.unproven is 'Submissions and rejections of the type in its name that nothing proves to be its own.';
select log.versioned('oracle_types', array['source_id', 'oracle_id', 'work_type']);
-- Anybody can name an oracle beside any type: the types that it decided on are found without a walk through all those.
create index oracle_types_versions_decided on oracle_types_versions (source_id, oracle_id, work_type, from_position) where accepted + rejected > 0;

create table oracle_hours (
    source_id integer not null,
    oracle_id text not null,
    hour integer not null,
    accepted bigint not null,
    rejected bigint not null,
    refuted bigint not null,
    unproven bigint not null
);
comment on table oracle_hours is 'An oracle''s activity by hour of block time.';
comment on column oracle_hours.source_id is 'Source.';
comment on column oracle_hours.oracle_id is 'The oracle.';
comment on column oracle_hours.hour is 'Full hours since 1970-01-01T00:00:00Z.';
comment on column oracle_hours.accepted is 'Accepted submissions in the hour.';
comment on column oracle_hours.rejected is 'Rejections in the hour.';
comment on column oracle_hours.refuted is 'Refuted signatures in the hour.';
comment on column oracle_hours.unproven is 'Submissions and rejections in its name in the hour that nothing proves to be its own.';
select log.versioned('oracle_hours', array['source_id', 'oracle_id', 'hour']);

create table oracle_latencies (
    source_id integer not null,
    oracle_id text not null,
    bucket integer not null,
    accepted bigint not null
);
comment on table oracle_latencies is 'How long an oracle takes from hand-in to validation, as a histogram.';
comment on column oracle_latencies.source_id is 'Source.';
comment on column oracle_latencies.oracle_id is 'The oracle.';
comment on column oracle_latencies.bucket is 'Whole seconds below 64; from there on 32 buckets to each doubling, see log.latency_floor.';
comment on column oracle_latencies.accepted is 'Accepted submissions with that latency.';
select log.versioned('oracle_latencies', array['source_id', 'oracle_id', 'bucket']);
-- What was taken back is no more among the current rows, and must be found for answers about the past.
create index oracle_latencies_versions_gone on oracle_latencies_versions (source_id, oracle_id, from_position) where not present;

create function log.latency_floor(bucket integer) returns bigint language sql immutable parallel safe as $$
    select case when bucket < 64 then bucket::bigint else (32 + bucket % 32)::bigint << (bucket / 32 - 1) end
$$;
comment on function log.latency_floor(integer) is 'Shortest latency of a bucket, in seconds: exact below 64, within 1/32 above.';

reset search_path;
