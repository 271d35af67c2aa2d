-- How far the views have come. Rows and watermark change in one database transaction or not at all.

set search_path = views, log;

create table watermark (
    only_row boolean primary key default true check (only_row),
    position bigint not null,
    chain_hash bytea not null,
    horizon bigint not null default 0,
    generation bigint not null default 1,
    moved_at timestamptz not null
) with (fillfactor = 50);
comment on table watermark is 'The one position of the log that every live view shows.';
comment on column watermark.only_row is 'Makes a second row impossible.';
comment on column watermark.position is 'Last position of the last unit that was folded.';
comment on column watermark.chain_hash is 'Running hash of the log there.';
comment on column watermark.horizon is 'As-of answers below this position have been pruned; 0 keeps everything.';
comment on column watermark.generation is 'Raised when rebuilt views take the place of others: what was remembered of the former ones is then void.';
comment on column watermark.moved_at is 'When the projector last moved it.';
insert into watermark (position, chain_hash, moved_at)
values (0, decode(repeat('00', 32), 'hex'), clock_timestamp());

create table view_state (
    view text primary key,
    version integer not null,
    position bigint not null,
    changed_position bigint not null,
    changed_hash bytea not null,
    state text not null,
    error text
) with (fillfactor = 50);
comment on table view_state is 'One row per projection: its code version, how far it is, and when its rows last changed.';
comment on column view_state.view is 'Name of the projection.';
comment on column view_state.version is 'Version of the code that wrote the rows; another version means rebuild.';
comment on column view_state.position is 'Position that the rows are true at: the watermark while live, the last good one when set aside.';
comment on column view_state.changed_position is 'Position at which the rows last changed; cache keys are made of it.';
comment on column view_state.changed_hash is 'Running hash of the log at that position.';
comment on column view_state.state is 'live or set_aside.';
comment on column view_state.error is 'Why it was set aside; null while live.';

reset search_path;
