-- Who may see statistics, in one place; and what a finding takes away.

set search_path = views, log;

alter table findings add column counts boolean not null default false;
alter table findings_versions add column counts boolean;
comment on column findings.counts is 'Whether the event counts in spite of what is wrong with it; otherwise it changed nothing.';
comment on column findings_versions.counts is 'Whether the event counts in spite of what is wrong with it; otherwise it changed nothing.';
create index findings_subject on findings (subject, event_position);
create index contested_wallets_identity on contested_wallets (identity_id);
create index findings_versions_event on findings_versions (event_position);
create index findings_versions_code on findings_versions (code, event_position);
create index findings_versions_subject on findings_versions (subject, event_position);
create index contested_wallets_versions_identity on contested_wallets_versions (identity_id, event_position);

create table contested_identities (
    event_source_id integer not null,
    event_position bigint not null,
    identity_id bytea not null,
    winner_source_id integer not null,
    detail text not null
);
comment on table contested_identities is 'Registrations of an identity that another source had registered before; a finding (registered-elsewhere) that depends on all sources.';
comment on column contested_identities.event_source_id is 'Source of the later registration.';
comment on column contested_identities.event_position is 'The later registration''s event.';
comment on column contested_identities.identity_id is 'The identity.';
comment on column contested_identities.winner_source_id is 'Source of the earliest registration that stands, which is shown.';
comment on column contested_identities.detail is 'What is wrong, in a plain sentence.';
select log.versioned('contested_identities', array['event_position']);
create index contested_identities_identity on contested_identities (identity_id);
create index contested_identities_versions_identity on contested_identities_versions (identity_id, event_position);

create function log.voids(event bigint, at bigint) returns setof boolean language sql stable parallel safe as $$
    select true
    from (
        select distinct on (v.code) v.present, v.counts
        from findings_versions v
        where v.event_position = event
            and v.from_position <= at
        order by v.code, v.from_position desc
    ) f
    where f.present
        and not f.counts
    union all
    select true
    from (
        select v.present
        from contested_wallets_versions v
        where v.event_position = event
            and v.from_position <= at
        order by v.from_position desc
        limit 1
    ) c
    where c.present
$$;
comment on function log.voids(bigint, bigint) is 'A row if a finding says, as of a position, that an event changed nothing. A set, because only sets become part of the statement that asks.';

-- Parts in events that are neither transfers nor work: an address has a history of those as long as it likes.
create index event_subjects_address on log.event_subjects (subject_id, role, position) where role in (3, 4, 6, 9, 10);

create function log.shows_stats(identity bytea) returns boolean language sql stable parallel safe as $$
    select exists (select 1 from identities i where i.identity_id = identity and i.stats_visibility = 'public')
$$;
comment on function log.shows_stats(bytea) is 'Whether an anonymous caller may see an identity''s statistics: by its current visibility, also when the question is about the past. The one place that decides it.';

reset search_path;
