-- Undo migrations 0101 and later: drop the table of patterns and its functions, and remove their records.
-- Their foundations stay: roles, users, members, pgvector; also the grant on schema public, which Supabase has too.
-- It refuses while there are patterns. To lose them, first: set behavior.rollback_with_rows = 'yes';
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

delete from behavior.migrations where version between 101 and 199;
commit;
