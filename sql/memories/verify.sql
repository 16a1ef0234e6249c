-- Check the fence between users' memories; to be run after ../verify.sql, which says how.
set local behavior.verified = 'public.memories';

create function pg_temp.refused() returns text
    language sql
    return case when pg_temp.is_ours() then '42501' else '42501 or 0' end;

-- How a user stores a row: %1$L is the user.
set local behavior.keeping = $$
    insert into public.memories (user_id, type, content, metadata, embedding)
    values (%1$L, 'workflow', '{"trigger": "x", "actions": [], "outcome": "success"}',
            '{"embedding_model": "behavior db verify"}', array_fill(1, array[1536])) returning id
$$;

-- Each attempt, and the number of rows or the error that it must give the row's user, another user and anon; null if
-- there is nothing to learn from it. %1$L is the row, %2$L its user, %3$L the other user. The grants on another
-- program's table may be wide, as long as its policies are narrow.
create function pg_temp.attempts() returns table (name text, statement text, own text, others text, anon text)
    language sql
begin atomic
    values
    ('select', $$select 1 from public.memories where id = %1$L$$, '1', '0', pg_temp.refused()),
    ('insert', $$insert into public.memories (user_id, type, content, metadata) values (%2$L, 'x', 'x', '{}')$$,
               '1', '42501', '42501'),
    ('update', $$update public.memories set content = content where id = %1$L$$, '1', '0', pg_temp.refused()),
    ('delete', $$delete from public.memories where id = %1$L$$, '1', '0', pg_temp.refused()),
    ('truncate', $$truncate public.memories$$, '42501', '42501', '42501'),
    ('giving away', $$update public.memories set user_id = %3$L where id = %1$L$$,
                    '42501', pg_temp.refused(), pg_temp.refused()),
    ('view of workflows', $$select 1 from behavior.workflows where id = %1$L$$, '1', '0', '42501'),
    ('find_similar_workflows', $$select 1 from behavior.find_similar_workflows('[$$ || repeat('1,', 1535) || $$1]',
                                 'behavior db verify', 0.9, 50) where id = %1$L$$, '1', '0', '42501'),
    ('count_workflow_use', $$select 1 where behavior.count_workflow_use(%1$L)$$, '1', '0', '42501'),
    ('an id of its own', $$insert into public.memories (user_id, id, type, content, metadata)
                           values (%2$L, gen_random_uuid(), 'x', 'x', '{}')$$,
                         case when pg_temp.is_ours() then '42501' end, '42501', '42501');
end;

call pg_temp.check_fence();
call pg_temp.check_shared('evidence', to_regclass('behavior.episodes'));
call pg_temp.check_shared('remarks', to_regclass('behavior.remarks'));
call pg_temp.cross_all();
call pg_temp.conclude();
rollback;
