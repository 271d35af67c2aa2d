-- Voting power, proposals and votes (MEANING §6). Power is per chain: what is staked and delegated on the proposal's own chain.

set search_path = views, log;

create table powers (
    source_id integer not null,
    identity_id bytea not null,
    own_stake numeric(39, 0) not null,
    delegated_in numeric(39, 0) not null,
    delegated_out numeric(39, 0) not null
);
comment on table powers is 'Voting power of each identity on each chain: own_stake + delegated_in - delegated_out.';
comment on column powers.source_id is 'Chain.';
comment on column powers.identity_id is 'The identity.';
comment on column powers.own_stake is 'Base units staked by the wallets that belong to it.';
comment on column powers.delegated_in is 'What counts of the delegations to it.';
comment on column powers.delegated_out is 'What counts of its own delegations; never above own_stake.';
select log.versioned('powers', array['source_id', 'identity_id']);

create table delegations (
    source_id integer not null,
    delegator_id bytea not null,
    delegatee_id bytea not null,
    amount numeric(39, 0) not null,
    counted numeric(39, 0) not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    claim_position bigint not null
);
comment on table delegations is 'Power that one identity has given to another.';
comment on column delegations.source_id is 'Chain.';
comment on column delegations.delegator_id is 'Who gives.';
comment on column delegations.delegatee_id is 'Who receives.';
comment on column delegations.amount is 'What was given and was covered by stake when it was given; above 0.';
comment on column delegations.counted is 'What counts now: stake covers the delegations of an identity in the order of claim_position.';
comment on column delegations.created_at is 'Block time of the first delegation that stands.';
comment on column delegations.updated_at is 'Block time of the newest change of the amount.';
comment on column delegations.claim_position is 'Position of the first delegation that stands.';
select log.versioned('delegations', array['source_id', 'delegator_id', 'delegatee_id']);
create index delegations_delegatee on delegations (delegatee_id, source_id);
create index delegations_versions_delegatee on delegations_versions (delegatee_id, source_id, from_position);

-- What a proposal says and would call never changes after governance.proposed: it is read from the event at claim_position, so
-- that versions, of which each vote may make one, do not repeat it.
create table proposals (
    source_id integer not null,
    proposal_id bigint not null,
    proposer_identity bytea not null,
    proposal_type text not null,
    title text not null,
    quorum numeric(39, 0) not null,
    voting_starts_at timestamptz not null,
    voting_ends_at timestamptz not null,
    status text not null,
    computed_outcome text,
    final_outcome text,
    votes_for numeric(39, 0) not null,
    votes_against numeric(39, 0) not null,
    votes_abstain numeric(39, 0) not null,
    voters bigint not null,
    claimed_for numeric(39, 0),
    claimed_against numeric(39, 0),
    claimed_abstain numeric(39, 0),
    opened_position bigint,
    opened_height bigint,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    finalized_at timestamptz,
    executed_at timestamptz,
    cancelled_at timestamptz,
    claim_position bigint not null
);
comment on table proposals is 'Proposals of each chain with their status by block time and their exact tallies.';
comment on column proposals.source_id is 'Chain.';
comment on column proposals.proposal_id is 'Number of the proposal there.';
comment on column proposals.proposer_identity is 'Who proposed.';
comment on column proposals.proposal_type is 'Kind of proposal.';
comment on column proposals.title is 'At most 256 characters.';
comment on column proposals.quorum is 'Power needed for, against and abstaining together; 0 when none is stated.';
comment on column proposals.voting_starts_at is 'Votes count from this block time on.';
comment on column proposals.voting_ends_at is 'Votes count up to this block time.';
comment on column proposals.status is 'pending, active, ended, passed, rejected, executed or cancelled.';
comment on column proposals.computed_outcome is 'passed or rejected by our tallies; set when voting has ended, or was finalized.';
comment on column proposals.final_outcome is 'passed or rejected as the chain finalized it.';
comment on column proposals.votes_for is 'Computed power of the votes for it that count.';
comment on column proposals.votes_against is 'Computed power of the votes against it that count.';
comment on column proposals.votes_abstain is 'Computed power of the abstentions that count.';
comment on column proposals.voters is 'Identities whose vote counts.';
comment on column proposals.claimed_for is 'Tally as the chain claimed it when finalizing.';
comment on column proposals.claimed_against is 'Tally as the chain claimed it when finalizing.';
comment on column proposals.claimed_abstain is 'Tally as the chain claimed it when finalizing.';
comment on column proposals.opened_position is 'End of the block that opened voting: power is read there.';
comment on column proposals.opened_height is 'Height of that block.';
comment on column proposals.created_at is 'Block time of the proposal.';
comment on column proposals.updated_at is 'Block time of the newest change.';
comment on column proposals.finalized_at is 'Block time of the finalization.';
comment on column proposals.executed_at is 'Block time of the execution.';
comment on column proposals.cancelled_at is 'Block time of the cancellation.';
comment on column proposals.claim_position is 'Position of the proposal''s event.';
select log.versioned('proposals', array['source_id', 'proposal_id']);
create index proposals_open on proposals (source_id) where status in ('pending', 'active');
create index proposals_newest on proposals (source_id, claim_position desc);
create index proposals_proposer on proposals (proposer_identity, claim_position desc);

create table ballots (
    source_id integer not null,
    proposal_id bigint not null,
    voter_identity bytea not null,
    vote_choice text not null,
    vote_power numeric(39, 0) not null,
    vote_position bigint not null
);
comment on table ballots is 'The one vote of each identity on each proposal that counts: its last.';
comment on column ballots.source_id is 'Chain.';
comment on column ballots.proposal_id is 'The proposal.';
comment on column ballots.voter_identity is 'Who voted.';
comment on column ballots.vote_choice is 'for, against or abstain.';
comment on column ballots.vote_power is 'Computed power at the block that opened voting.';
comment on column ballots.vote_position is 'Position of the vote''s event.';
select log.versioned('ballots', array['source_id', 'proposal_id', 'voter_identity']);
create index ballots_voter on ballots (voter_identity, source_id);
create index ballots_versions_voter on ballots_versions (voter_identity, source_id, proposal_id, from_position);

create table votes (
    source_id integer not null,
    position bigint not null,
    proposal_id bigint not null,
    voter_identity bytea not null,
    vote_choice text not null,
    claimed_power numeric(20, 0) not null,
    vote_power numeric(39, 0) not null,
    counts boolean not null,
    why text,
    reason text,
    block_height bigint,
    tx_id text,
    cast_at timestamptz not null,
    primary key (source_id, position)
);
comment on table votes is 'Every vote ever cast, those that do not count and those superseded too; a row stands unless a retraction covers its position.';
comment on column votes.source_id is 'Chain.';
comment on column votes.position is 'Position of the vote''s event.';
comment on column votes.proposal_id is 'The proposal.';
comment on column votes.voter_identity is 'Who voted.';
comment on column votes.vote_choice is 'for, against or abstain.';
comment on column votes.claimed_power is 'Power that the vote claims.';
comment on column votes.vote_power is 'Computed power at the block that opened voting; 0 when the vote does not count.';
comment on column votes.counts is 'Whether it counted when it was cast; a later one that counts supersedes it.';
comment on column votes.why is 'Code of the finding that says why it does not count; null when it does.';
comment on column votes.reason is 'The voter''s reason, at most 1,024 characters.';
comment on column votes.block_height is 'Height of its block.';
comment on column votes.tx_id is 'Transaction that carried it.';
comment on column votes.cast_at is 'Block time.';
create index votes_proposal on votes (source_id, proposal_id, position);
create index votes_voter on votes (voter_identity, position);

reset search_path;
