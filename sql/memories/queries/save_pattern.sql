-- Store one pattern; delivered again, it changes nothing unless more is known of the same work by then.
-- It is checked here, since a table of memories that is not ours has no checks for patterns.
with given as (
    select content, metadata, jsonb_array_length(%(actions)s::jsonb) as actions
      from behavior.to_memory(jsonb_build_object(
               'source_key', %(source_key)s::text, 'session_id', %(session_id)s::text, 'project', %(project)s::text,
               'trigger', %(trigger)s::text, 'embedding_model', %(embedding_model)s::text,
               'context', %(context)s::jsonb, 'actions', %(actions)s::jsonb, 'final_outcome', %(final_outcome)s::text,
               'confidence', %(confidence)s::float8, 'provenance', %(provenance)s::jsonb,
               'started_at', %(started_at)s::timestamptz))
)
insert into public.memories as kept (user_id, type, content, metadata, embedding)
select (select behavior.caller()), 'workflow', content, metadata, %(embedding)s
  from given
 where behavior.must_be_workflow(content, metadata, %(embedding)s)
    on conflict (user_id, (metadata ->> 'source_key'))
          where type = 'workflow' and octet_length(metadata ->> 'source_key') <= 200 do update
   set content = (kept.content::jsonb || excluded.content::jsonb)::text,
       metadata = kept.metadata || (excluded.metadata - array['session_id', 'use_count', 'last_used_at', 'started_at',
                                                           'schema_version']),
       embedding = excluded.embedding
 where case
           when behavior.workflow_problem(kept.content, kept.metadata) is not null then false
           else jsonb_array_length(kept.content::jsonb -> 'actions') < (select actions from given)
                or (jsonb_array_length(kept.content::jsonb -> 'actions') = (select actions from given)
                    and ((kept.embedding is null and excluded.embedding is not null)
                         or (kept.content::jsonb ->> 'outcome' = 'partial'
                             and excluded.content::jsonb ->> 'outcome' <> 'partial')))
       end
