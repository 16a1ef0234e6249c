-- Split the table by user into 16 partitions, for a team that outgrows one table. Run it by hand, once, as the owner
-- and while nobody is working; then run the files in migrations/ again, in order: they restore indexes, policies,
-- rights and functions. Until then nobody but the owner can reach the rows.
begin;
set local lock_timeout = '15s';
select pg_advisory_xact_lock(7236430166542121);
set local search_path = pg_catalog, public, extensions;

drop function if exists public.find_similar_patterns;
drop function if exists public.increment_pattern_use_count(uuid);
alter table public.behavior_patterns set schema behavior;
alter table behavior.behavior_patterns rename to unpartitioned_patterns;

create table public.behavior_patterns (
    like behavior.unpartitioned_patterns
        including defaults including generated including constraints including storage including comments,
    primary key (user_id, id),
    unique (user_id, source_key),
    foreign key (user_id) references auth.users (id) on delete cascade
) partition by hash (user_id);
-- As in 0101_behavior_patterns.sql, before the first row.
do $$
begin
    execute (select 'alter table public.behavior_patterns ' || string_agg(format('alter column %I set statistics 0', attname), ', ')
               from pg_attribute
              where attrelid = 'public.behavior_patterns'::regclass and attnum > 0 and not attisdropped);
end
$$;
comment on table public.behavior_patterns is 'Stores learned workflow patterns for behavior intelligence';

-- Not in the schema that an API exposes: partitions have no policies, and nobody has rights on them.
do $$
begin
    for part in 0..15 loop
        execute format('create table behavior.patterns_%s partition of public.behavior_patterns
                            for values with (modulus 16, remainder %s) with (fillfactor = 75)', part, part);
    end loop;
end
$$;

insert into public.behavior_patterns
       (id, user_id, source_key, session_id, project, trigger, trigger_embedding, embedding_model, context, actions,
        final_outcome, confidence, use_count, last_used_at, provenance, workflow, schema_version, started_at,
        created_at, updated_at)
select id, user_id, source_key, session_id, project, trigger, trigger_embedding, embedding_model, context, actions,
       final_outcome, confidence, use_count, last_used_at, provenance, workflow, schema_version, started_at,
       created_at, updated_at
  from behavior.unpartitioned_patterns;
drop table behavior.unpartitioned_patterns;
delete from behavior.migrations where version between 101 and 199 or version between 401 and 499;
commit;
