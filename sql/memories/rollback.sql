-- Undo migrations 0201 and later, and 0501 and later: drop indexes, view and functions, and the table of memories if
-- they created it, and remove their records; likewise evidence and remarks, 0301 and later, unless another table of
-- patterns needs them. An older table of memories stays, with every row.
-- Their foundations stay: roles, users, members, pgvector; also the grant on schema public, which Supabase has too.
-- It refuses while there are memories in our own table, evidence or remarks. To lose them, first:
-- set behavior.rollback_with_rows = 'yes';
-- Other objects that depend on the table are not dropped with it: a single view makes the whole rollback fail.
begin;
set local lock_timeout = '15s';
select pg_advisory_xact_lock(7236430166542121);
set local search_path = pg_catalog, public, extensions;
-- An owner that row level security applies to would see no rows and drop them all. With this it gets an error.
set local row_security = off;

do $$
begin
    if coalesce(obj_description(to_regclass('public.memories')), '') not like 'Made by behavior-plugin%'
       or current_setting('behavior.rollback_with_rows', true) = 'yes' then
        return;
    end if;
    lock table public.memories in access exclusive mode;
    if exists (select from public.memories) then
        raise exception 'there are memories in public.memories'
              using hint = 'Make a backup, then: set behavior.rollback_with_rows = ''yes''';
    end if;
end
$$;

drop view if exists behavior.workflows;
drop function if exists behavior.find_similar_workflows(vector, text, float8, integer, text);
drop function if exists behavior.count_workflow_use(uuid);
drop function if exists behavior.pattern_row(public.memories);
drop function if exists behavior.must_be_workflow(text, jsonb, vector);
drop function if exists behavior.refuse(text);
drop function if exists behavior.from_memory(text, jsonb);
drop function if exists behavior.to_memory(jsonb);
drop function if exists behavior.python_date(timestamptz);

do $$
declare
    ours regclass;
begin
    -- An index of that name that begins with another column is older: it is the guide's own, and stays.
    for ours in
        select indexrelid::regclass
          from pg_index
         where indrelid = to_regclass('public.memories')
           and indexrelid::regclass::text in ('memories_type_workflow_idx', 'memories_workflow_confidence_idx',
                                              'memories_workflow_source_key_idx', 'memories_workflow_model_idx')
           and pg_get_indexdef(indexrelid, 1, false) = 'user_id'
    loop
        execute format('drop index %s', ours);
    end loop;
    if obj_description(to_regclass('public.memories')) like 'Made by behavior-plugin%' then
        drop table public.memories;
    end if;
end
$$;
drop function if exists behavior.update_memory_timestamp();
drop function if exists behavior.workflow_problem(text, jsonb);

delete from behavior.migrations where version between 201 and 299 or version between 501 and 599;

-- The evidence goes too, and the remarks, unless another storage needs them.
do $$
declare
    shared  regclass;
    is_full boolean;
begin
    if exists (select from behavior.migrations where version > 100 and version not between 301 and 399) then
        return;
    end if;
    for shared in select oid
                    from pg_class
                   where oid in (to_regclass('behavior.episodes'), to_regclass('behavior.remarks'))
    loop
        execute format('lock table %s in access exclusive mode', shared);
        execute format('select exists (select from %s)', shared) into is_full;
        if is_full and coalesce(current_setting('behavior.rollback_with_rows', true), '') <> 'yes' then
            raise exception 'there are rows in %', shared
                  using hint = 'Make a backup, then: set behavior.rollback_with_rows = ''yes''';
        end if;
    end loop;
    drop table if exists behavior.episodes;
    drop table if exists behavior.remarks;
    drop function if exists behavior.update_episode_timestamp();
    drop function if exists behavior.turn_of(text, text, text, timestamptz, jsonb, jsonb, text, jsonb);
    delete from behavior.migrations where version between 301 and 399;
end
$$;
commit;
