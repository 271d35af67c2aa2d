-- Blocks, transactions, heads, finality: what an explorer lists.

set search_path = views, log;

create table blocks (
    source_id integer not null,
    position bigint not null,
    end_position bigint not null,
    height bigint not null,
    hash bytea not null,
    parent_hash bytea,
    block_time timestamptz not null,
    validator_address text not null,
    tx_count bigint not null,
    gas_used numeric(20, 0),
    gas_limit numeric(20, 0),
    state_root text,
    verdict smallint,
    primary key (source_id, position)
);
comment on table blocks is 'Every block ever applied; it stands unless a retraction covers its position.';
comment on column blocks.source_id is 'Chain of the block.';
comment on column blocks.position is 'Position of its chain.block_applied.';
comment on column blocks.end_position is 'Last position of its unit.';
comment on column blocks.height is 'Height.';
comment on column blocks.hash is 'Hash.';
comment on column blocks.parent_hash is 'Hash of the parent; null at genesis where the chain leaves it empty.';
comment on column blocks.block_time is 'Time that the block states.';
comment on column blocks.validator_address is 'Who made the block, as upstream spelled it.';
comment on column blocks.tx_count is 'Transactions in the block.';
comment on column blocks.gas_used is 'Gas used, where the chain has gas.';
comment on column blocks.gas_limit is 'Gas limit, where the chain has gas.';
comment on column blocks.state_root is 'State root as upstream spelled it.';
comment on column blocks.verdict is 'Worst of the checks: 1 verified, 2 refuted, 3 unverifiable.';
create index blocks_height on blocks (source_id, height, position);
create index blocks_hash on blocks (hash);

create table transactions (
    source_id integer not null,
    position bigint not null,
    tx_id text not null,
    block_height bigint not null,
    block_hash bytea not null,
    block_time timestamptz not null,
    tx_index integer not null,
    sender text not null,
    recipient text,
    amount numeric(20, 0) not null,
    fee numeric(20, 0) not null,
    nonce numeric(20, 0),
    tx_type text not null,
    status text,
    verdict smallint,
    primary key (source_id, position)
);
comment on table transactions is 'Every transaction ever applied; it stands unless a retraction covers its position.';
comment on column transactions.source_id is 'Chain of the transaction.';
comment on column transactions.position is 'Position of its chain.transaction_applied.';
comment on column transactions.tx_id is 'Id or hash, normalised.';
comment on column transactions.block_height is 'Height of its block.';
comment on column transactions.block_hash is 'Hash of its block.';
comment on column transactions.block_time is 'Time of its block.';
comment on column transactions.tx_index is 'Index in the block, from 0.';
comment on column transactions.sender is 'Who pays, canonical.';
comment on column transactions.recipient is 'Who receives (the first output, where there are several), canonical.';
comment on column transactions.amount is 'Base units that leave the sender besides the fee.';
comment on column transactions.fee is 'Base units paid besides the amount.';
comment on column transactions.nonce is 'The sender''s counter.';
comment on column transactions.tx_type is 'transfer, the payload''s kind, or the chain''s own type.';
comment on column transactions.status is 'What the node says of it.';
comment on column transactions.verdict is 'Outcome of the signature check; null where none is claimed.';
create index transactions_tx_id on transactions (tx_id);
create index transactions_type on transactions (source_id, tx_type, position);

create table heads (
    source_id integer not null,
    height bigint not null,
    block_hash bytea not null,
    block_time timestamptz not null,
    first_height bigint not null,
    genesis_hash bytea,
    tx_total bigint not null,
    links_verified bigint not null,
    hashes_verified bigint not null,
    signatures_verified bigint not null,
    checks_refuted bigint not null,
    unrecognized bigint not null,
    complete boolean not null
);
comment on table heads is 'Newest standing block of each chain, and counts over its standing blocks.';
comment on column heads.source_id is 'Chain.';
comment on column heads.height is 'Height of the newest standing block.';
comment on column heads.block_hash is 'Its hash.';
comment on column heads.block_time is 'Its time.';
comment on column heads.first_height is 'Lowest height indexed; above 0 all-time numbers are incomplete.';
comment on column heads.genesis_hash is 'Hash of block 0, when it was indexed.';
comment on column heads.tx_total is 'Transactions in standing blocks.';
comment on column heads.links_verified is 'Standing blocks whose link to the parent was verified.';
comment on column heads.hashes_verified is 'Standing blocks whose hash was recomputed and agreed.';
comment on column heads.signatures_verified is 'Standing blocks whose signature was verified.';
comment on column heads.checks_refuted is 'Standing blocks with a refuted check.';
comment on column heads.unrecognized is 'source.unrecognized events in standing blocks.';
comment on column heads.complete is 'False when the chain was not followed from genesis or a whole transaction could not be understood.';
select log.versioned('heads', array['source_id']);

create table finality (
    source_id integer not null,
    finalized_height bigint not null,
    rule text not null
);
comment on table finality is 'Highest finalized height of each chain; never goes down and is never retracted.';
comment on column finality.source_id is 'Chain.';
comment on column finality.finalized_height is 'Blocks up to here will not be retracted.';
comment on column finality.rule is 'Which rule says so: depth or operator.';
select log.versioned('finality', array['source_id']);

reset search_path;
