-- Who follows whom.

set search_path = views, log;

create table follow_claims (
    source_id integer not null,
    follower_id bytea not null,
    following_id bytea not null,
    created_at timestamptz not null,
    claim_position bigint not null
);
comment on table follow_claims is 'Follows as each source has them.';
comment on column follow_claims.source_id is 'Source of the follow.';
comment on column follow_claims.follower_id is 'Who follows.';
comment on column follow_claims.following_id is 'Who is followed.';
comment on column follow_claims.created_at is 'Block time of the follow.';
comment on column follow_claims.claim_position is 'Position of the follow.';
select log.versioned('follow_claims', array['source_id', 'follower_id', 'following_id']);
create index follow_claims_edge on follow_claims (follower_id, following_id);

create table social_connections (
    follower_id bytea not null,
    following_id bytea not null,
    source_id integer not null,
    created_at timestamptz not null,
    claim_position bigint not null
);
comment on table social_connections is 'Who follows whom, over all sources: the earliest follow that stands.';
comment on column social_connections.follower_id is 'Who follows.';
comment on column social_connections.following_id is 'Who is followed.';
comment on column social_connections.source_id is 'Source of that follow.';
comment on column social_connections.created_at is 'Block time of that follow.';
comment on column social_connections.claim_position is 'Position of that follow.';
select log.versioned('social_connections', array['follower_id', 'following_id']);
create index social_connections_following on social_connections (following_id, claim_position desc);
create index social_connections_follower on social_connections (follower_id, claim_position desc);
create index social_connections_versions_following on social_connections_versions (following_id, from_position);
create index social_connections_versions_follower on social_connections_versions (follower_id, from_position);

create table social_counts (
    identity_id bytea not null,
    followers bigint not null,
    following bigint not null
);
comment on table social_counts is 'How many follow an identity, and how many it follows.';
comment on column social_counts.identity_id is 'The identity.';
comment on column social_counts.followers is 'Identities that follow it.';
comment on column social_counts.following is 'Identities that it follows.';
select log.versioned('social_counts', array['identity_id']);

-- What identities take part in, by their part: a feed of votes must not read a million follows. The roles are those of
-- identities; transfers, which are most of the log, are not in it.
create index event_subjects_identity on log.event_subjects (subject_id, role, position) where role in (5, 7, 8, 12, 13, 14, 15);

reset search_path;
