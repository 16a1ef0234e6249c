-- Check the fence between users' patterns; to be run after ../verify.sql, which says how.
set local behavior.verified = 'public.behavior_patterns';

-- How a user stores a row: %1$L is the user.
set local behavior.keeping = $$
    insert into public.behavior_patterns (user_id, trigger, final_outcome, embedding_model, trigger_embedding)
    values (%1$L, 'behavior db verify', 'success', 'behavior db verify', array_fill(1, array[1536])) returning id
$$;

-- Each attempt, and the number of rows or the error that it must give the row's user, another user and anon; null if
-- there is nothing to learn from it. %1$L is the row, %2$L its user, %3$L the other user.
create function pg_temp.attempts() returns table (name text, statement text, own text, others text, anon text)
    language sql
begin atomic
    values
    ('select', $$select 1 from public.behavior_patterns where id = %1$L$$, '1', '0', '42501'),
    ('insert', $$insert into public.behavior_patterns (user_id, trigger, final_outcome)
                 values (%2$L, 'x', 'success')$$, '1', '42501', '42501'),
    ('insert once for each key', $$insert into public.behavior_patterns (user_id, trigger, final_outcome)
                                   values (%2$L, 'x', 'success')
                                   on conflict (user_id, source_key) do nothing$$, '1', null, null),
    ('update', $$update public.behavior_patterns set trigger = 'x' where id = %1$L$$, '1', '0', '42501'),
    ('delete', $$delete from public.behavior_patterns where id = %1$L$$, '1', '0', '42501'),
    ('truncate', $$truncate public.behavior_patterns$$, '42501', '42501', '42501'),
    ('giving away', $$update public.behavior_patterns set user_id = %3$L where id = %1$L$$, '42501', '42501', '42501'),
    ('find_similar_patterns', $$select 1 from public.find_similar_patterns('[$$ || repeat('1,', 1535) || $$1]',
                                'behavior db verify', 0.9, 50) where id = %1$L$$, '1', '0', '42501'),
    ('increment_pattern_use_count', $$select 1 where public.increment_pattern_use_count(%1$L)$$, '1', '0', '42501'),
    ('an id of its own', $$insert into public.behavior_patterns (user_id, id, trigger, final_outcome)
                           values (%2$L, gen_random_uuid(), 'x', 'success')$$, '42501', '42501', '42501');
end;

call pg_temp.check_fence();
call pg_temp.check_shared('evidence', to_regclass('behavior.episodes'));
call pg_temp.check_shared('remarks', to_regclass('behavior.remarks'));
call pg_temp.cross_all();
call pg_temp.conclude();
rollback;
