-- The one structure of every view, and the few statements that are the same for all of them.
--
-- A versioned view X is a table X with the newest version of each key, and a table X_versions with every version ever,
-- keyed by the log position at which it came to be. Unqualified names are meant: a rebuild runs the same functions
-- under another search_path.

create function log.versioned(view text, keys text[]) returns void language plpgsql as $$
declare
    c record;
    key_list text := (select string_agg(format('%I', k), ', ') from unnest(keys) k);
begin
    execute format('alter table %I add column from_position bigint not null', view);
    execute format('alter table %I add primary key (%s)', view, key_list);
    execute format('alter table %I set (fillfactor = 70)', view);
    execute format('comment on column %I.from_position is %L', view, 'End of the block that made this version.');
    execute format('create table %I (like %I including comments)', view || '_versions', view);
    for c in
        select a.attname from pg_attribute a
        where a.attrelid = view::regclass and a.attnum > 0 and not a.attisdropped and a.attname <> all (keys || 'from_position'::text)
    loop
        execute format('alter table %I alter column %I drop not null', view || '_versions', c.attname);
    end loop;
    execute format('alter table %I add column present boolean not null', view || '_versions');
    execute format('comment on column %I.present is %L', view || '_versions', 'False when this version says that the key is gone.');
    execute format('alter table %I add primary key (%s, from_position)', view || '_versions', key_list);
    execute format('create index %I on %I (from_position)', view || '_versions_from', view || '_versions');
    execute format('comment on table %I is %L', view || '_versions', 'Every version of the rows of ' || view || '; written once, never changed.');
end
$$;
comment on function log.versioned(text, text[]) is 'Turns a plain table into a versioned view: keys, from_position, and the table of its versions.';

create function log.view_columns(view text, out keys text, out columns text, out assignments text, out key_match text) language sql stable as $$
    with key_columns as (
        select a.attname, a.attnum
        from pg_index i
        join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
        where i.indrelid = view::regclass and i.indisprimary
    ), all_columns as (
        select a.attname, a.attnum
        from pg_attribute a
        where a.attrelid = view::regclass and a.attnum > 0 and not a.attisdropped
    )
    select
        (select string_agg(format('%I', attname), ', ' order by attnum) from key_columns),
        (select string_agg(format('%I', attname), ', ' order by attnum) from all_columns),
        (select string_agg(format('%1$I = excluded.%1$I', attname), ', ' order by attnum) from all_columns
         where attname not in (select attname from key_columns)),
        (select string_agg(format('v.%1$I = k.%1$I', attname), ' and ' order by attnum) from key_columns)
$$;
comment on function log.view_columns(text) is 'Pieces of SQL about a versioned view, read from the catalogue.';

create function log.publish(view text, after bigint) returns void language plpgsql as $$
declare
    c record;
begin
    select * into c from log.view_columns(view);
    execute format(
        'insert into %1$I (%2$s) select %2$s from (select distinct on (%3$s) * from %4$I where from_position > $1 order by %3$s, from_position desc) newest where present on conflict (%3$s) do update set %5$s',
        view, c.columns, c.keys, view || '_versions', c.assignments) using after;
    execute format(
        'delete from %1$I v using (select distinct on (%2$s) * from %3$I where from_position > $1 order by %2$s, from_position desc) k where not k.present and %4$s',
        view, c.keys, view || '_versions', c.key_match) using after;
end
$$;
comment on function log.publish(text, bigint) is 'Brings the current rows of a view up to the versions written after a position.';

create function log.restore(view text, in_source integer, first bigint, at bigint) returns bigint language plpgsql as $$
declare
    c record;
    value_columns text;
    restored bigint;
begin
    select * into c from log.view_columns(view);
    select string_agg(format('v.%I', attname), ', ' order by attnum), string_agg(format('%I', attname), ', ' order by attnum)
    into value_columns, c.columns
    from pg_attribute
    where attrelid = view::regclass and attnum > 0 and not attisdropped
        and attname <> 'from_position' and attname <> all (string_to_array(c.keys, ', '));
    execute format(
        'insert into %1$I (%2$s, %3$s, from_position, present) '
        'select %4$s, %5$s, $3, coalesce(v.present, false) '
        'from (select distinct %2$s from %1$I where from_position >= $2 and from_position < $3 and source_id = $1) k '
        'left join lateral (select * from %1$I v where %6$s and v.from_position < $2 order by v.from_position desc limit 1) v on true',
        view || '_versions', c.keys, c.columns,
        (select string_agg('k.' || key, ', ') from unnest(string_to_array(c.keys, ', ')) key),
        value_columns, c.key_match) using in_source, first, at;
    get diagnostics restored = row_count;
    perform log.publish(view, at - 1);
    return restored;
end
$$;
comment on function log.restore(text, integer, bigint, bigint) is 'Writes, as new versions at a retraction, what the rows of its source were before the fork; returns how many.';

create function log.clone_views(from_schema text, to_schema text) returns void language plpgsql as $$
declare
    t record;
    reader record;
begin
    execute format('create schema %I', to_schema);
    for t in
        select c.relname, c.reloptions from pg_class c
        where c.relnamespace = from_schema::regnamespace and c.relkind = 'r' order by c.relname
    loop
        execute format('create table %I.%I (like %I.%I including all)', to_schema, t.relname, from_schema, t.relname);
        if t.reloptions is not null then
            execute format('alter table %I.%I set (%s)', to_schema, t.relname, array_to_string(t.reloptions, ', '));
        end if;
    end loop;
end
$$;
comment on function log.clone_views(text, text) is 'Creates empty tables of the same shape in another schema, for a rebuild beside the live views.';

create function log.grant_like(from_schema text, to_schema text) returns void language plpgsql as $$
declare
    g record;
begin
    for g in
        select distinct pg_get_userbyid(a.grantee) as role
        from pg_namespace n, aclexplode(n.nspacl) a
        where n.nspname = from_schema and a.privilege_type = 'USAGE' and a.grantee <> n.nspowner and a.grantee <> 0
    loop
        execute format('grant usage on schema %I to %I', to_schema, g.role);
        execute format('grant select on all tables in schema %I to %I', to_schema, g.role);
    end loop;
end
$$;
comment on function log.grant_like(text, text) is 'Gives the readers of one schema the same right to read another.';

create function log.swap_views() returns void language plpgsql as $$
begin
    -- The watermark first: readers hold it shared for one statement, the projector exclusively for one batch.
    lock table views.watermark in access exclusive mode;
    if (select position from views.watermark) <> (select position from views_next.watermark) then
        raise exception 'the rebuilt views are at another position' using errcode = 'serialization_failure';
    end if;
    -- Rebuilt rows may differ from what processes remember for the same position.
    update views_next.watermark set generation = (select generation + 1 from views.watermark);
    alter schema views rename to views_old;
    alter schema views_next rename to views;
end
$$;
comment on function log.swap_views() is 'Puts the rebuilt views in the place of the live ones, in the caller''s transaction.';
