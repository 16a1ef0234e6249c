-- Check the fence around each user's memories; to be run after ../verify.sql, which says how. The fence around a table
-- that was found is its owner's: it need not be the same as ours, but it has to hold.
set local behavior.verified = 'public.memories';

create function pg_temp.is_ours() returns boolean
    language sql
    return coalesce(obj_description(pg_temp.verified(), 'pg_class') like 'Made by behavior-plugin%', false);

create function pg_temp.refused() returns text
    language sql
    return case when pg_temp.is_ours() then '42501' else '42501 or 0' end;

create procedure pg_temp.check_own_table()
    language plpgsql
as $$
begin
    call pg_temp.report('columns', pg_temp.differences(
        array['id uuid not null', 'user_id uuid not null', 'type text not null', 'content text not null',
              'metadata jsonb not null', 'embedding vector(1536)', 'created_at timestamp with time zone not null',
              'updated_at timestamp with time zone not null'],
        pg_temp.columns(pg_temp.verified())));
    call pg_temp.report('row level security',
                        pg_temp.differences('{enabled,forced}', pg_temp.fences(pg_temp.verified())));
    call pg_temp.report('policies', pg_temp.differences(
        array['own_memories_select for select to authenticated using (( SELECT behavior.caller() AS caller) = user_id)',
              'own_memories_insert for insert to authenticated'
              ' with check (( SELECT behavior.caller() AS caller) = user_id)',
              'own_memories_update for update to authenticated using (( SELECT behavior.caller() AS caller) = user_id)'
              ' with check (( SELECT behavior.caller() AS caller) = user_id)',
              'own_memories_delete for delete to authenticated'
              ' using (( SELECT behavior.caller() AS caller) = user_id)'],
        pg_temp.policies(pg_temp.verified())));
    call pg_temp.report('rights', pg_temp.differences(
        array['authenticated select', 'authenticated delete',
              'authenticated insert (content, embedding, metadata, type, user_id)',
              'authenticated update (content, embedding, metadata)',
              'service_role select', 'service_role insert', 'service_role update', 'service_role delete'],
        pg_temp.rights(pg_temp.verified())));
    call pg_temp.report('triggers', pg_temp.missing(
        array['CREATE TRIGGER memories_updated_at BEFORE INSERT OR UPDATE ON public.memories FOR EACH ROW'
              ' EXECUTE FUNCTION behavior.update_memory_timestamp()'],
        pg_temp.triggers(pg_temp.verified())));
end
$$;

create procedure pg_temp.check_found_table()
    language plpgsql
as $$
begin
    call pg_temp.report('columns', pg_temp.missing(
        '{id uuid,user_id uuid,type text,content text,metadata jsonb,embedding vector(1536),'
        'created_at timestamp with time zone}',
        string_to_array(replace(array_to_string(pg_temp.columns(pg_temp.verified()), ';'), ' not null', ''), ';')));
    call pg_temp.report('row level security', pg_temp.missing('{enabled}', pg_temp.fences(pg_temp.verified())));
    -- What no policy applies to; everything else is attempted below.
    call pg_temp.report('rights', pg_temp.differences('{}', pg_temp.unfenced(pg_temp.rights(pg_temp.verified()))));
end
$$;

create function pg_temp.unfenced(rights text[]) returns text[]
    language sql
    return array(select each from unnest(rights) each where each ~ ' (truncate|trigger|references)');

-- All of the schema, so that one too many is seen; but for what both ways of storing share, checked with the members.
create function pg_temp.our_functions() returns text[]
    language sql
    return pg_temp.functions(variadic array(
        select distinct format('behavior.%s', proname)
          from pg_proc
         where pronamespace = to_regnamespace('behavior') and proname <> 'caller'));

do $$
begin
    call pg_temp.check_surroundings();
    if pg_temp.is_ours() then
        call pg_temp.check_own_table();
    else
        call pg_temp.check_found_table();
    end if;
end
$$;
do $$
begin
    if pg_temp.is_ours() then
        call pg_temp.report('statistics', pg_temp.statistics(pg_temp.verified()));
    else
        raise notice 'skipped: statistics: the table is another program''s; its statistics tell every login of the values in it';
    end if;
end
$$;
call pg_temp.report('indexes', pg_temp.missing(
    array['btree (user_id, created_at DESC) WHERE (type = ''workflow''::text)',
          'btree (user_id, ((metadata -> ''confidence''::text)) DESC)'
          ' WHERE ((type = ''workflow''::text) AND (octet_length((metadata ->> ''confidence''::text)) <= 200))',
          'unique btree (user_id, ((metadata ->> ''source_key''::text)))'
          ' WHERE ((type = ''workflow''::text) AND (octet_length((metadata ->> ''source_key''::text)) <= 200))',
          'btree (user_id, ((metadata ->> ''embedding_model''::text)), ((metadata ->> ''project''::text)))'
          ' WHERE ((type = ''workflow''::text) AND (behavior.workflow_problem(content, metadata) IS NULL))'],
    pg_temp.indexes(pg_temp.verified())));
call pg_temp.report('functions', pg_temp.differences(
    array['workflow_problem(content text, metadata jsonb)',
          'workflow_problem: invoker, immutable, search_path=""',
          'workflow_problem for everybody',
          'python_date(date timestamp with time zone)',
          'python_date: invoker, immutable, search_path=""',
          'python_date for {authenticated,service_role}',
          'from_memory(content text, metadata jsonb)',
          'from_memory: invoker, stable, search_path=""',
          'from_memory for {authenticated,service_role}',
          'to_memory(pattern jsonb)',
          'to_memory: invoker, stable, search_path=""',
          'to_memory for {authenticated,service_role}',
          'pattern_row(memory memories)',
          'pattern_row: invoker, stable, search_path=""',
          'pattern_row for {authenticated,service_role}',
          'refuse(problem text)',
          'refuse: invoker, immutable, search_path=""',
          'refuse for {authenticated,service_role}',
          'must_be_workflow(content text, metadata jsonb, embedding vector)',
          'must_be_workflow: invoker, stable, search_path=""',
          'must_be_workflow for {authenticated,service_role}',
          'find_similar_workflows(query_embedding vector, query_model text, match_threshold double precision,'
          ' match_count integer, in_project text)',
          'find_similar_workflows: invoker, stable, search_path=""',
          'find_similar_workflows for {authenticated,service_role}',
          'count_workflow_use(memory_id uuid)',
          'count_workflow_use: invoker, volatile, search_path=""',
          'count_workflow_use for {authenticated,service_role}',
          'update_memory_timestamp()',
          'update_memory_timestamp: invoker, volatile, search_path=""',
          'update_memory_timestamp for {}'],
    pg_temp.our_functions()));
call pg_temp.report('view of workflows', pg_temp.differences(
    '{authenticated select,service_role select}', pg_temp.rights(to_regclass('behavior.workflows'))));

-- How a user stores a row: %1$L is the user.
set local behavior.keeping = $$
    insert into public.memories (user_id, type, content, metadata, embedding)
    values (%1$L, 'workflow', '{"trigger": "x", "actions": [], "outcome": "success"}',
            '{"embedding_model": "behavior db verify"}', array_fill(1, array[1536])) returning id
$$;

-- What is attempted, and how many rows or which error it must give the row's user, another user and anon; null where
-- there is nothing to learn from it. %1$L is the row, %2$L its user, %3$L the other user. The grants on a table that
-- was found may be wide, as long as its policies are narrow.
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
    ('a workflow that is not a pattern', $$insert into public.memories (user_id, type, content)
                                           values (%2$L, 'workflow', 'x')$$,
                                         case when pg_temp.is_ours() then '23514' end, null, null);
end;

call pg_temp.cross_all();
call pg_temp.conclude();
rollback;
