-- Store one pattern; the same work updates the same row, but not its counters, and never a row that a caller wrote.
-- Returns whether it was added or updated; no row if nothing changed.
-- The pattern is checked here, since another program's table of memories has no constraints for patterns.
with given as (
    select content, metadata
      from behavior.to_memory(jsonb_build_object(
               'source_key', %(source_key)s::text, 'session_id', %(session_id)s::text, 'project', %(project)s::text,
               'trigger', %(trigger)s::text, 'embedding_model', %(embedding_model)s::text,
               'context', %(context)s::jsonb, 'actions', %(actions)s::jsonb, 'final_outcome', %(final_outcome)s::text,
               'confidence', %(confidence)s::float8, 'provenance', %(provenance)s::jsonb,
               'workflow', %(workflow)s::jsonb, 'use_count', %(use_count)s::integer,
               'last_used_at', %(last_used_at)s::timestamptz, 'started_at', %(started_at)s::timestamptz))
), own as (
    select from public.memories
     where user_id = (select behavior.caller())
       and type = 'workflow'
       and metadata ->> 'source_key' = %(source_key)s::text
)
insert into public.memories as kept (user_id, type, content, metadata, embedding)
select (select behavior.caller()), 'workflow', content, metadata, %(embedding)s
  from given
 where behavior.must_be_workflow(content, metadata, %(embedding)s)
    on conflict (user_id, (metadata ->> 'source_key'))
          where type = 'workflow' and octet_length(metadata ->> 'source_key') <= 200 do update
   set content = (kept.content::jsonb || excluded.content::jsonb)::text,
       metadata = kept.metadata
               || (excluded.metadata - array['use_count', 'last_used_at', 'schema_version']),
       embedding = excluded.embedding
 where case
           when behavior.workflow_problem(kept.content, kept.metadata) is not null then false
           when (kept.metadata #>> '{workflow,job}' is null) <> (%(workflow)s::jsonb is null) then false
           else (kept.content::jsonb, kept.metadata - array['use_count', 'last_used_at', 'updated_at'])
                is distinct from
                (kept.content::jsonb || excluded.content::jsonb,
                 (kept.metadata || (excluded.metadata - 'schema_version')) - array['use_count', 'last_used_at', 'updated_at'])
       end
returning not exists (select from own) as is_new
