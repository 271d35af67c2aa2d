-- Identities and the wallets linked to them (MEANING §4).

create extension if not exists pg_trgm with schema public;
set search_path = views, log, public;

create table identity_claims (
    source_id integer not null,
    identity_id bytea not null,
    controller text not null,
    key_alg text not null,
    public_key text not null,
    display_name text,
    search_name text,
    avatar_hash bytea,
    bio text,
    stats_visibility text not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    claim_position bigint not null
);
comment on table identity_claims is 'What each source says of an identity.';
comment on column identity_claims.source_id is 'Who says so.';
comment on column identity_claims.identity_id is 'Id, 32 bytes.';
comment on column identity_claims.controller is 'Address that registered it there and may change it.';
comment on column identity_claims.key_alg is 'Algorithm of its key.';
comment on column identity_claims.public_key is 'Its key, hex.';
comment on column identity_claims.display_name is 'Name to show.';
comment on column identity_claims.search_name is 'That name with case and accents folded.';
comment on column identity_claims.avatar_hash is 'Hash of the picture.';
comment on column identity_claims.bio is 'About the person.';
comment on column identity_claims.stats_visibility is 'public, friends_only or private.';
comment on column identity_claims.created_at is 'Block time of the registration.';
comment on column identity_claims.updated_at is 'Block time of the newest change.';
comment on column identity_claims.claim_position is 'Position of the registration; the earliest standing claim over all sources wins.';
select log.versioned('identity_claims', array['source_id', 'identity_id']);
create index identity_claims_identity on identity_claims (identity_id);

create table identities (
    identity_id bytea not null,
    source_id integer not null,
    controller text not null,
    key_alg text not null,
    public_key text not null,
    display_name text,
    search_name text,
    avatar_hash bytea,
    bio text,
    stats_visibility text not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    claim_position bigint not null
);
comment on table identities is 'The identity as clients see it: the earliest standing claim over all sources.';
comment on column identities.identity_id is 'Id, 32 bytes.';
comment on column identities.source_id is 'Source whose claim won.';
comment on column identities.controller is 'Address that registered it and may change it.';
comment on column identities.key_alg is 'Algorithm of its key.';
comment on column identities.public_key is 'Its key, hex.';
comment on column identities.display_name is 'Name to show.';
comment on column identities.search_name is 'That name with case and accents folded.';
comment on column identities.avatar_hash is 'Hash of the picture.';
comment on column identities.bio is 'About the person.';
comment on column identities.stats_visibility is 'public, friends_only or private.';
comment on column identities.created_at is 'Block time of the registration.';
comment on column identities.updated_at is 'Block time of the newest change.';
comment on column identities.claim_position is 'Position of the winning registration.';
select log.versioned('identities', array['identity_id']);
create index identities_search_prefix on identities (search_name text_pattern_ops);
create index identities_search_trigram on identities using gin (search_name gin_trgm_ops);
create index identities_versions_search_trigram on identities_versions using gin (search_name gin_trgm_ops);

create table wallet_links (
    source_id integer not null,
    identity_id bytea not null,
    address_id bigint not null,
    wallet_address text not null,
    link_type text not null,
    proof_alg text not null,
    proof_public_key text not null,
    proof_signature text not null,
    verdict smallint not null,
    verdict_reason text,
    trusted boolean not null,
    created_at timestamptz not null,
    claim_position bigint not null
);
comment on table wallet_links is 'Which identity says that which wallet is its own, with the verdict on the proof.';
comment on column wallet_links.source_id is 'Where it was said.';
comment on column wallet_links.identity_id is 'Who said it.';
comment on column wallet_links.address_id is 'The wallet in log.subjects.';
comment on column wallet_links.wallet_address is 'The wallet, canonical.';
comment on column wallet_links.link_type is 'main, mining, staking, trading, governance or another word.';
comment on column wallet_links.proof_alg is 'Algorithm of the proof.';
comment on column wallet_links.proof_public_key is 'Key of the proof, hex.';
comment on column wallet_links.proof_signature is 'Signature of the proof, hex.';
comment on column wallet_links.verdict is '1 verified, 2 refuted, 3 unverifiable.';
comment on column wallet_links.verdict_reason is 'Why it is not verified.';
comment on column wallet_links.trusted is 'Whether the source''s word counts without a proof.';
comment on column wallet_links.created_at is 'Block time of the link.';
comment on column wallet_links.claim_position is 'Position of the link; the earliest counting one owns the wallet.';
select log.versioned('wallet_links', array['source_id', 'identity_id', 'address_id']);
create index wallet_links_address on wallet_links (address_id);
create index wallet_links_identity on wallet_links (identity_id);
create index wallet_links_versions_identity on wallet_links_versions (identity_id, from_position);
create index wallet_links_versions_address on wallet_links_versions (address_id, from_position);

create table wallet_owners (
    address_id bigint not null,
    identity_id bytea not null,
    source_id integer not null,
    claim_position bigint not null
);
comment on table wallet_owners is 'The one identity that each wallet belongs to, chosen among all claims by rule.';
comment on column wallet_owners.address_id is 'The wallet in log.subjects.';
comment on column wallet_owners.identity_id is 'Its owner.';
comment on column wallet_owners.source_id is 'Source of the winning claim.';
comment on column wallet_owners.claim_position is 'Position of the winning claim.';
select log.versioned('wallet_owners', array['address_id']);
create index wallet_owners_identity on wallet_owners (identity_id);

create table wallet_claims (
    source_id integer not null,
    claim_position bigint not null,
    identity_id bytea not null,
    address_id bigint not null,
    verdict smallint not null,
    trusted boolean not null,
    removed_position bigint
);
comment on table wallet_claims is 'The claims to wallets that the owner is chosen from by rule: every one that counted, ended ones included, and the unproven ones that are linked now. A refuted claim has no row.';
comment on column wallet_claims.source_id is 'Where it was said.';
comment on column wallet_claims.claim_position is 'Position of the link.';
comment on column wallet_claims.identity_id is 'Who said it.';
comment on column wallet_claims.address_id is 'The wallet in log.subjects.';
comment on column wallet_claims.verdict is '1 verified, 3 unverifiable.';
comment on column wallet_claims.trusted is 'Whether the source''s word counts without a proof.';
comment on column wallet_claims.removed_position is 'Position of the unlink, or of the better proof that took its place; null while it stands.';
select log.versioned('wallet_claims', array['address_id', 'source_id', 'claim_position']);

reset search_path;
