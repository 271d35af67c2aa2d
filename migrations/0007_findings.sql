-- Refuted and contradictory claims: kept, counted in nothing, and listed.

set search_path = views, log;

create table findings (
    source_id integer not null,
    event_position bigint not null,
    code text not null,
    height bigint,
    tx_id text,
    subject text,
    detail text not null,
    occurred_at timestamptz not null
);
comment on table findings is 'One row per contradiction: which event, what is wrong with it, in a plain sentence.';
comment on column findings.source_id is 'Source of the event.';
comment on column findings.event_position is 'The event.';
comment on column findings.code is 'Stable name of the rule that it breaks.';
comment on column findings.height is 'Height of its block.';
comment on column findings.tx_id is 'Its transaction.';
comment on column findings.subject is 'Whom it concerns.';
comment on column findings.detail is 'What is wrong, in a plain sentence.';
comment on column findings.occurred_at is 'Block time.';
select log.versioned('findings', array['source_id', 'event_position', 'code']);
create index findings_versions_gone on findings_versions (from_position) where not present;

create table contested_wallets (
    event_source_id integer not null,
    event_position bigint not null,
    address_id bigint not null,
    identity_id bytea not null,
    owner_identity_id bytea not null,
    detail text not null
);
comment on table contested_wallets is 'Wallet claims that stand behind another identity''s claim; a finding that depends on all sources.';
comment on column contested_wallets.event_source_id is 'Source of the claim.';
comment on column contested_wallets.event_position is 'The claim''s event.';
comment on column contested_wallets.address_id is 'The wallet.';
comment on column contested_wallets.identity_id is 'Who claims it.';
comment on column contested_wallets.owner_identity_id is 'Who owns it.';
comment on column contested_wallets.detail is 'What is wrong, in a plain sentence.';
select log.versioned('contested_wallets', array['event_position']);

reset search_path;
