-- Store exported rows unchanged, as the rows of one user if one is named. Rows that are stored already stay as they
-- are. Returns for each row whether it was added, and whether its work was stored before.
with given as (
    select place, coalesce(%(user_id)s::uuid, kept.user_id) as user_id, kept.id, kept.content, kept.metadata,
           kept.embedding, kept.created_at, line ->> 'source_key' as source_key, line -> 'workflow' as workflow
      from unnest(%(lines)s::jsonb[]) with ordinality as lines (line, place)
           cross join lateral behavior.to_memory(line) as memory
           cross join lateral jsonb_populate_record(null::public.memories, jsonb_build_object(
               'id', line -> 'id', 'user_id', line -> 'user_id', 'content', memory.content,
               'metadata', memory.metadata, 'embedding', line -> 'trigger_embedding',
               'created_at', line -> 'created_at')) as kept
), added as (
    insert into public.memories (user_id, id, type, content, metadata, embedding, created_at)
    select user_id, id, 'workflow', content, metadata, embedding, created_at
      from given
     where behavior.must_be_workflow(content, metadata, embedding)
       and case when jsonb_typeof(workflow) in ('object', 'null') or workflow is null then true
                else behavior.refuse('its workflow is of the type ' || jsonb_typeof(workflow)) end
        on conflict do nothing
    returning user_id, id
)
select given.user_id, given.id, added.id is not null as is_added,
       exists (select from public.memories there
                where there.user_id = given.user_id
                  and there.type = 'workflow'
                  and there.metadata ->> 'source_key' = given.source_key
                  and octet_length(there.metadata ->> 'source_key') <= 200)
       or exists (select from public.memories there
                   where there.user_id = given.user_id
                     and there.type = 'workflow'
                     and there.id = given.id
                     and there.metadata ->> 'source_key' is null
                     and there.id::text = given.source_key) as is_there
  from given left join added using (user_id, id)
 order by place
