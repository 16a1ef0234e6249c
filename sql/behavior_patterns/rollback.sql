-- Undo migrations 0101 and later, and 0401 and later: drop the table of patterns and its functions, and remove their
-- records; likewise evidence and remarks, 0301 and later, unless another table of patterns needs them.
-- Their foundations stay: roles, users, members, pgvector; also the grant on schema public, which Supabase has too.
-- It refuses while there are patterns, evidence or remarks. To lose them, first:
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
    if to_regclass('public.behavior_patterns') is null
       or current_setting('behavior.rollback_with_rows', true) = 'yes' then
        return;
    end if;
    lock table public.behavior_patterns in access exclusive mode;
    if exists (select from public.behavior_patterns) then
        raise exception 'there are patterns in public.behavior_patterns'
              using hint = 'Make a backup, then: set behavior.rollback_with_rows = ''yes''';
    end if;
end
$$;

drop function if exists public.find_similar_patterns(vector, text, float8, integer, text);
drop function if exists public.increment_pattern_use_count(uuid);
drop table if exists public.behavior_patterns;
drop function if exists public.update_behavior_pattern_timestamp();

delete from behavior.migrations where version between 101 and 199 or version between 401 and 499;

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
