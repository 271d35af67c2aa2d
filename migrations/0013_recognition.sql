-- Several sources may register the same identity. What one of them says of it counts beyond its own chain only if its
-- registration is recognised: if it is the earliest that stands, or is by the account that made the earliest. Who has different
-- accounts on two chains counts beyond them only with that of the earlier registration. Registrations that are not recognised
-- are the rows of contested_identities.

set search_path = views, log;

comment on table contested_identities is 'Registrations of an identity that another source had registered before for another account, and which are therefore not recognised; a finding (registered-elsewhere) that depends on all sources.';

create table wallet_holders (
    address_id bigint not null,
    identity_id bytea not null,
    source_id integer not null,
    claim_position bigint not null
);
comment on table wallet_holders is 'Whose each wallet is on its own chain, chosen among all claims by rule; its stake is that identity''s power there.';
comment on column wallet_holders.address_id is 'The wallet in log.subjects.';
comment on column wallet_holders.identity_id is 'Whose it is.';
comment on column wallet_holders.source_id is 'Source of the claim, which is that of the wallet.';
comment on column wallet_holders.claim_position is 'Position of the claim.';
select log.versioned('wallet_holders', array['address_id']);
create index wallet_holders_identity on wallet_holders (identity_id);
comment on table wallet_owners is 'The one identity that each wallet belongs to: who holds it on its chain, if that chain''s registration is recognised.';
comment on table social_connections is 'Who follows whom, over all sources: the earliest follow that stands whose source''s registrations of both are recognised.';

-- Follows of an identity whose registration a retraction made recognised, or no longer so.
create index follow_claims_following on follow_claims (following_id, source_id);

create function log.recognised(in_source integer, identity bytea, at bigint) returns boolean language sql stable parallel safe as $$
    select not exists (
        select 1
        from (
            select distinct event_position
            from contested_identities_versions
            where identity_id = identity
                and event_source_id = in_source
                and from_position <= at
        ) k
        cross join lateral (
            select v.present
            from contested_identities_versions v
            where v.event_position = k.event_position
                and v.from_position <= at
            order by v.from_position desc
            limit 1
        ) c
        where c.present
    )
$$;
comment on function log.recognised(integer, bytea, bigint) is 'Whether what a source says of an identity counts beyond its own chain, as of a position.';

reset search_path;
