-- Take back what the migrations 0101 and later made: the table of patterns, its functions, and the note that they ran.
-- What they rest on stays: roles, users, members, pgvector. So does the schema right that Supabase gives everybody.
-- It refuses while there are patterns. To lose them: set behavior.rollback_with_rows = 'yes'; before.
-- What others have built on the table is not dropped with it: their views stop all of this.
begin;
select pg_advisory_xact_lock(7236430166542121);
set local search_path = pg_catalog, public, extensions;
-- A table's owner whom its fence holds back would see no row, and drop them all. This makes that an error.
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
