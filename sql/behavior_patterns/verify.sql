-- Check the fence around each user's patterns; to be run after ../verify.sql, which says how.
set local behavior.verified = 'public.behavior_patterns';

call pg_temp.check_surroundings();
call pg_temp.report('columns', pg_temp.differences(
    array['id uuid not null', 'user_id uuid not null', 'source_key text not null', 'session_id text not null',
          'project text not null', 'trigger text not null', 'trigger_embedding vector(1536)', 'embedding_model text',
          'trigger_bits bit(1536)', 'context jsonb not null', 'actions jsonb not null', 'final_outcome text not null',
          'confidence double precision not null', 'use_count integer not null', 'last_used_at timestamp with time zone',
          'provenance jsonb not null', 'schema_version smallint not null',
          'started_at timestamp with time zone not null', 'created_at timestamp with time zone not null',
          'updated_at timestamp with time zone not null'],
    pg_temp.columns(pg_temp.verified())));
call pg_temp.report('indexes', pg_temp.missing(
    array['unique btree (user_id, id)', 'unique btree (user_id, source_key)',
          'btree (user_id, embedding_model, project) INCLUDE (id, trigger_bits)',
          'btree (user_id, embedding_model, project) WHERE (schema_version > 0)', 'btree (user_id, started_at DESC)'],
    pg_temp.indexes(pg_temp.verified())));
call pg_temp.report('statistics', pg_temp.statistics(pg_temp.verified()));
call pg_temp.report('row level security', pg_temp.differences('{enabled,forced}', pg_temp.fences(pg_temp.verified())));
call pg_temp.report('policies', pg_temp.differences(
    array['own_patterns_select for select to authenticated using (( SELECT behavior.caller() AS caller) = user_id)',
          'own_patterns_insert for insert to authenticated'
          ' with check (( SELECT behavior.caller() AS caller) = user_id)',
          'own_patterns_update for update to authenticated using (( SELECT behavior.caller() AS caller) = user_id)'
          ' with check (( SELECT behavior.caller() AS caller) = user_id)',
          'own_patterns_delete for delete to authenticated using (( SELECT behavior.caller() AS caller) = user_id)'],
    pg_temp.policies(pg_temp.verified())));
call pg_temp.report('rights', pg_temp.differences(
    array['authenticated select', 'authenticated delete',
          'authenticated insert (actions, confidence, context, embedding_model, final_outcome, project, provenance,'
          ' schema_version, session_id, source_key, started_at, trigger, trigger_embedding, user_id)',
          'authenticated update (actions, confidence, context, embedding_model, final_outcome, last_used_at, project,'
          ' provenance, schema_version, trigger, trigger_embedding, use_count)',
          'service_role select', 'service_role insert', 'service_role update', 'service_role delete'],
    pg_temp.rights(pg_temp.verified())));
call pg_temp.report('functions', pg_temp.differences(
    array['find_similar_patterns(query_embedding vector, query_model text, match_threshold double precision,'
          ' match_count integer, in_project text)',
          'find_similar_patterns: invoker, stable, search_path=""',
          'find_similar_patterns for {authenticated,service_role}',
          'increment_pattern_use_count(pattern_id uuid)',
          'increment_pattern_use_count: invoker, volatile, search_path=""',
          'increment_pattern_use_count for {authenticated,service_role}',
          'update_behavior_pattern_timestamp()',
          'update_behavior_pattern_timestamp: invoker, volatile, search_path=""',
          'update_behavior_pattern_timestamp for {}'],
    pg_temp.functions('public.find_similar_patterns', 'public.increment_pattern_use_count',
                      'public.update_behavior_pattern_timestamp')));
call pg_temp.report('triggers', pg_temp.missing(
    array['CREATE TRIGGER behavior_patterns_updated_at BEFORE UPDATE OF trigger, trigger_embedding, embedding_model,'
          ' context, actions, final_outcome, confidence, provenance, schema_version ON public.behavior_patterns'
          ' FOR EACH ROW EXECUTE FUNCTION public.update_behavior_pattern_timestamp()'],
    pg_temp.triggers(pg_temp.verified())));

-- How a user stores a row: %1$L is the user.
set local behavior.keeping = $$
    insert into public.behavior_patterns (user_id, trigger, final_outcome, embedding_model, trigger_embedding)
    values (%1$L, 'behavior db verify', 'success', 'behavior db verify', array_fill(1, array[1536])) returning id
$$;

-- What is attempted, and how many rows or which error it must give the row's user, another user and anon; null where
-- there is nothing to learn from it. %1$L is the row, %2$L its user, %3$L the other user.
create function pg_temp.attempts() returns table (name text, statement text, own text, others text, anon text)
    language sql
begin atomic
    values
    ('select', $$select 1 from public.behavior_patterns where id = %1$L$$, '1', '0', '42501'),
    ('insert', $$insert into public.behavior_patterns (user_id, trigger, final_outcome)
                 values (%2$L, 'x', 'success')$$, '1', '42501', '42501'),
    ('update', $$update public.behavior_patterns set trigger = 'x' where id = %1$L$$, '1', '0', '42501'),
    ('delete', $$delete from public.behavior_patterns where id = %1$L$$, '1', '0', '42501'),
    ('truncate', $$truncate public.behavior_patterns$$, '42501', '42501', '42501'),
    ('giving away', $$update public.behavior_patterns set user_id = %3$L where id = %1$L$$, '42501', '42501', '42501'),
    ('find_similar_patterns', $$select 1 from public.find_similar_patterns('[$$ || repeat('1,', 1535) || $$1]',
                                'behavior db verify', 0.9, 50) where id = %1$L$$, '1', '0', '42501'),
    ('increment_pattern_use_count', $$select 1 where public.increment_pattern_use_count(%1$L)$$, '1', '0', '42501'),
    ('a zero vector', $$insert into public.behavior_patterns
                        (user_id, trigger, final_outcome, embedding_model, trigger_embedding)
                        values (%2$L, 'x', 'success', 'x', array_fill(0, array[1536]))$$, '23514', null, null),
    ('a vector without a model', $$insert into public.behavior_patterns
                                   (user_id, trigger, final_outcome, trigger_embedding)
                                   values (%2$L, 'x', 'success', array_fill(1, array[1536]))$$, '23514', null, null),
    ('no trigger', $$insert into public.behavior_patterns (user_id, trigger, final_outcome)
                     values (%2$L, ' ', 'success')$$, '23514', null, null),
    ('an unknown outcome', $$insert into public.behavior_patterns (user_id, trigger, final_outcome)
                             values (%2$L, 'x', 'unknown')$$, '23514', null, null),
    ('actions that are not a list', $$insert into public.behavior_patterns (user_id, trigger, final_outcome, actions)
                                      values (%2$L, 'x', 'success', '{}')$$, '23514', null, null);
end;

call pg_temp.cross_all();
call pg_temp.conclude();
rollback;
