-- Useful work: submissions, what they come to for each miner and identity, and the leaderboards (MEANING §5).
--
-- Scores are exact: numeric, in billionths of the type's unit, because credit has up to nine digits behind the point.
-- The work_type of a total is a type as records spell it (nuw_dag), a family (nuw) or all.

set search_path = views, log;

create table work_submissions (
    source_id integer not null,
    position bigint not null,
    submission_id text not null,
    is_rejection boolean not null,
    outcome text not null,
    accepted_position bigint,
    address_id bigint not null,
    miner_address text not null,
    oracle_id text,
    work_type text not null,
    difficulty text,
    credit text,
    score numeric(39, 0) not null,
    reward numeric(20, 0),
    reward_unit text,
    oracle_verdict smallint,
    project text,
    task_id text,
    reason text,
    submitted_at timestamptz,
    validated_at timestamptz,
    block_height bigint,
    tx_id text,
    occurred_at timestamptz not null,
    primary key (source_id, position)
);
comment on table work_submissions is 'Every work.submitted and work.rejected ever; a row stands unless a retraction covers its position.';
comment on column work_submissions.source_id is 'Source of the record.';
comment on column work_submissions.position is 'Position of its event.';
comment on column work_submissions.submission_id is 'Id of the submission at its source.';
comment on column work_submissions.is_rejection is 'Whether this is a work.rejected.';
comment on column work_submissions.outcome is 'accepted, rejected, refuted, unproven or repeated; only accepted ones count, until a rejection takes them out.';
comment on column work_submissions.accepted_position is 'Of a rejection: position of the accepted submission that it takes out; null when there is none.';
comment on column work_submissions.address_id is 'The miner in log.subjects.';
comment on column work_submissions.miner_address is 'The miner, canonical.';
comment on column work_submissions.oracle_id is 'Oracle named in the record; null when the chain itself validates.';
comment on column work_submissions.work_type is 'Type of work as the record spells it.';
comment on column work_submissions.difficulty is 'Difficulty as the record spells it.';
comment on column work_submissions.credit is 'Credit as the record spells it.';
comment on column work_submissions.score is 'What it adds to the score of its type, in billionths; 0 unless accepted.';
comment on column work_submissions.reward is 'Reward as claimed, in reward_unit.';
comment on column work_submissions.reward_unit is 'points or base_units; units are never added together.';
comment on column work_submissions.oracle_verdict is 'Verdict on the oracle''s signature: 1 verified, 2 refuted, 3 unverifiable; null when nothing is signed.';
comment on column work_submissions.project is 'Project of the work.';
comment on column work_submissions.task_id is 'Task of the project.';
comment on column work_submissions.reason is 'Why it was rejected or does not count, in a plain sentence.';
comment on column work_submissions.submitted_at is 'When the miner handed it in, as claimed.';
comment on column work_submissions.validated_at is 'When the oracle decided, as claimed.';
comment on column work_submissions.block_height is 'Height of its block.';
comment on column work_submissions.tx_id is 'Transaction that carried it.';
comment on column work_submissions.occurred_at is 'Block or record time: the moment from which it counts.';
create index work_submissions_miner on work_submissions (address_id, position);
create index work_submissions_type on work_submissions (address_id, work_type, position);
create index work_submissions_submission on work_submissions (submission_id, source_id, position);
create index work_submissions_overturned on work_submissions (accepted_position) where accepted_position is not null;

create table work_hours (
    source_id integer not null,
    address_id bigint not null,
    work_type text not null,
    hour integer not null,
    accepted bigint not null,
    score numeric(39, 0) not null
);
comment on table work_hours is 'A miner''s counting work by type and hour of block time: what windows are made of.';
comment on column work_hours.source_id is 'Source of the work.';
comment on column work_hours.address_id is 'The miner in log.subjects.';
comment on column work_hours.work_type is 'Type of work as records spell it.';
comment on column work_hours.hour is 'Full hours since 1970-01-01T00:00:00Z.';
comment on column work_hours.accepted is 'Submissions of the hour that count.';
comment on column work_hours.score is 'Their score, in billionths.';
select log.versioned('work_hours', array['source_id', 'address_id', 'work_type', 'hour']);
create index work_hours_hour on work_hours (hour);

create table work_clock (
    source_id integer not null,
    hour integer not null,
    block_time timestamptz not null
);
comment on table work_clock is 'The hour that leaderboard windows end in: of the newest block time of the clock source, the source with the smallest number.';
comment on column work_clock.source_id is 'The clock source.';
comment on column work_clock.hour is 'Full hours since 1970-01-01T00:00:00Z; never goes back but by a retraction.';
comment on column work_clock.block_time is 'Time of the block that began the hour.';
select log.versioned('work_clock', array['source_id']);

create table address_work (
    source_id integer not null,
    address_id bigint not null,
    work_type text not null,
    miner_address text not null,
    accepted bigint not null,
    rejected bigint not null,
    score numeric(39, 0) not null,
    score_day numeric(39, 0) not null,
    score_week numeric(39, 0) not null,
    score_month numeric(39, 0) not null,
    first_at timestamptz,
    last_at timestamptz
);
comment on table address_work is 'What each miner''s counting work comes to, by type, by family and in all.';
comment on column address_work.source_id is 'Source of the work.';
comment on column address_work.address_id is 'The miner in log.subjects.';
comment on column address_work.work_type is 'A type, the family nuw, or all.';
comment on column address_work.miner_address is 'The miner, canonical.';
comment on column address_work.accepted is 'Submissions that count.';
comment on column address_work.rejected is 'Accepted submissions that a rejection took out.';
comment on column address_work.score is 'Score of all time, in billionths.';
comment on column address_work.score_day is 'Score of the current hour so far and the 24 full hours before it, in billionths.';
comment on column address_work.score_week is 'Score of the current UTC day so far and the 7 full days before it, in billionths.';
comment on column address_work.score_month is 'Score of the current UTC day so far and the 30 full days before it, in billionths.';
comment on column address_work.first_at is 'Block time of the first submission that counts, in the order of the chain; null when none does.';
comment on column address_work.last_at is 'Block time of the last submission that counts, in the order of the chain; null when none does.';
select log.versioned('address_work', array['source_id', 'address_id', 'work_type']);
create index address_work_rank_all on address_work (work_type, score desc, last_at, miner_address collate "C", source_id) where score > 0;
create index address_work_rank_day on address_work (work_type, score_day desc, last_at, miner_address collate "C", source_id) where score_day > 0;
create index address_work_rank_week on address_work (work_type, score_week desc, last_at, miner_address collate "C", source_id) where score_week > 0;
create index address_work_rank_month on address_work (work_type, score_month desc, last_at, miner_address collate "C", source_id) where score_month > 0;
create index address_work_versions_type on address_work_versions (work_type, from_position);
create index address_work_versions_gone on address_work_versions (work_type) where not present;

create table identity_work (
    identity_id bytea not null,
    work_type text not null,
    ranked boolean not null,
    accepted bigint not null,
    rejected bigint not null,
    score numeric(39, 0) not null,
    score_day numeric(39, 0) not null,
    score_week numeric(39, 0) not null,
    score_month numeric(39, 0) not null,
    first_at timestamptz,
    last_at timestamptz
);
comment on table identity_work is 'What the work of an identity''s wallets comes to: the sum over the addresses that belong to it, and whether it is ranked.';
comment on column identity_work.identity_id is 'The identity.';
comment on column identity_work.work_type is 'A type, the family nuw, or all.';
comment on column identity_work.ranked is 'Whether its stats are public at this position; only then it takes part in leaderboards.';
comment on column identity_work.accepted is 'Submissions that count.';
comment on column identity_work.rejected is 'Accepted submissions that a rejection took out.';
comment on column identity_work.score is 'Score of all time, in billionths.';
comment on column identity_work.score_day is 'Score of the current hour so far and the 24 full hours before it, in billionths.';
comment on column identity_work.score_week is 'Score of the current UTC day so far and the 7 full days before it, in billionths.';
comment on column identity_work.score_month is 'Score of the current UTC day so far and the 30 full days before it, in billionths.';
comment on column identity_work.first_at is 'Earliest first_at of its addresses.';
comment on column identity_work.last_at is 'Latest last_at of its addresses.';
select log.versioned('identity_work', array['identity_id', 'work_type']);
create index identity_work_rank_all on identity_work (work_type, score desc, last_at, identity_id) where ranked and score > 0;
create index identity_work_rank_day on identity_work (work_type, score_day desc, last_at, identity_id) where ranked and score_day > 0;
create index identity_work_rank_week on identity_work (work_type, score_week desc, last_at, identity_id) where ranked and score_week > 0;
create index identity_work_rank_month on identity_work (work_type, score_month desc, last_at, identity_id) where ranked and score_month > 0;
create index identity_work_versions_type on identity_work_versions (work_type, from_position);
create index identity_work_versions_gone on identity_work_versions (work_type) where not present;

create table identity_boards (
    work_type text not null,
    timeframe text not null,
    position bigint not null,
    source_id integer not null,
    ranked bigint not null,
    identities bytea[] not null,
    scores numeric(39, 0)[] not null,
    last_ats timestamptz[] not null,
    height bigint,
    block_time timestamptz,
    primary key (work_type, timeframe, position)
);
comment on table identity_boards is 'The boards of identities at the first block of every UTC day, and some more where a day is long, as they were then, empty ones too. What was shown as of a position never changes, so no row does: a board as of a later moment is the newest one before it and what has changed in between. Of a rank over time only those rows of days are part whose block stands.';
comment on column identity_boards.work_type is 'boinc, nuw, bandwidth, compute, ceremony or all.';
comment on column identity_boards.timeframe is 'day, week, month or all.';
comment on column identity_boards.position is 'End of the block that began the day, or of another unit.';
comment on column identity_boards.source_id is 'Its source.';
comment on column identity_boards.ranked is 'How many were ranked.';
comment on column identity_boards.identities is 'The first 2,000 of them, in the order of their places.';
comment on column identity_boards.scores is 'Their scores, in billionths.';
comment on column identity_boards.last_ats is 'Block times of their last submissions that count.';
comment on column identity_boards.height is 'Height of the block that began the day; null of a board within a day.';
comment on column identity_boards.block_time is 'Time of that block.';

create table address_boards (
    work_type text not null,
    timeframe text not null,
    position bigint not null,
    source_id integer not null,
    ranked bigint not null,
    addresses bigint[] not null,
    scores numeric(39, 0)[] not null,
    last_ats timestamptz[] not null,
    primary key (work_type, timeframe, position)
);
comment on table address_boards is 'The same of the boards of addresses, when enough had changed since the last one was kept.';
comment on column address_boards.work_type is 'boinc, nuw, bandwidth, compute, ceremony or all.';
comment on column address_boards.timeframe is 'day, week, month or all.';
comment on column address_boards.position is 'End of the unit.';
comment on column address_boards.source_id is 'Its source.';
comment on column address_boards.ranked is 'How many were ranked.';
comment on column address_boards.addresses is 'The first 10,000 of them in log.subjects, in the order of their places.';
comment on column address_boards.scores is 'Their scores, in billionths.';
comment on column address_boards.last_ats is 'Block times of their last submissions that count.';

reset search_path;
