-- Who holds what, and the conservation of it (MEANING §3).

set search_path = views, log;

create table balances (
    source_id integer not null,
    address_id bigint not null,
    address text not null,
    balance numeric(39, 0) not null,
    received numeric(39, 0) not null,
    sent numeric(39, 0) not null,
    fees_paid numeric(39, 0) not null,
    minted numeric(39, 0) not null,
    staked numeric(39, 0) not null,
    nonce numeric(20, 0),
    tx_count bigint not null,
    first_height bigint not null,
    last_height bigint not null
);
comment on table balances is 'Balance and activity of each address, derived from standing blocks.';
comment on column balances.source_id is 'Chain.';
comment on column balances.address_id is 'The address in log.subjects.';
comment on column balances.address is 'The address, canonical.';
comment on column balances.balance is 'Base units: minted + received − sent − fees_paid.';
comment on column balances.received is 'Base units received by transfers and fees.';
comment on column balances.sent is 'Base units sent by transfers, without fees.';
comment on column balances.fees_paid is 'Base units paid as fees.';
comment on column balances.minted is 'Base units allocated at genesis or minted to the address.';
comment on column balances.staked is 'Base units staked; still part of the balance.';
comment on column balances.nonce is 'Highest counter used as a sender.';
comment on column balances.tx_count is 'Standing transactions that the address sent or received.';
comment on column balances.first_height is 'Height of the first standing block that touched the address.';
comment on column balances.last_height is 'Height of the newest standing block that touched the address.';
select log.versioned('balances', array['source_id', 'address_id']);

create table supply (
    source_id integer not null,
    allocated numeric(39, 0) not null,
    minted numeric(39, 0) not null,
    burned numeric(39, 0) not null,
    undisclosed numeric(39, 0) not null,
    balances_total numeric(39, 0) not null,
    closed boolean not null
);
comment on table supply is 'Money of each chain: balances_total + undisclosed = allocated + minted − burned at every position.';
comment on column supply.source_id is 'Chain.';
comment on column supply.allocated is 'Base units allocated at genesis.';
comment on column supply.minted is 'Base units minted since.';
comment on column supply.burned is 'Base units destroyed.';
comment on column supply.undisclosed is 'Base units in stealth outputs.';
comment on column supply.balances_total is 'Sum of all balances.';
comment on column supply.closed is 'Whether block 0 carried allocations, so that overspending is a break and not a finding.';
select log.versioned('supply', array['source_id']);

create table reported_balances (
    source_id integer not null,
    address_id bigint not null,
    address text not null,
    reported_balance numeric(39, 0) not null,
    nonce numeric(20, 0),
    height_before bigint not null,
    height_after bigint not null,
    reported_at timestamptz not null
);
comment on table reported_balances is 'What nodes say that addresses hold; shown beside the derived balance, never mixed with it.';
comment on column reported_balances.source_id is 'Chain.';
comment on column reported_balances.address_id is 'The address in log.subjects.';
comment on column reported_balances.address is 'The address, canonical.';
comment on column reported_balances.reported_balance is 'Base units.';
comment on column reported_balances.nonce is 'The account''s counter.';
comment on column reported_balances.height_before is 'The node''s head before it was asked.';
comment on column reported_balances.height_after is 'The node''s head after it had answered.';
comment on column reported_balances.reported_at is 'When it was asked.';
select log.versioned('reported_balances', array['source_id', 'address_id']);

reset search_path;
