-- The caller's own patterns that share words with a text, for use without an embedder. The similarity is the share of
-- the text's words that the trigger contains, so that it means the same for every text.
-- A text longer than a trigger is cut: full text search has a limit, and prompts have none.
with asked as (
    select tsvector_to_array(to_tsvector('pg_catalog.english', left(%(text)s, 32768))) as words
), best as materialized (
    select id,
           cardinality(array(select unnest(words)
                             intersect
                             select unnest(tsvector_to_array(
                                        to_tsvector('pg_catalog.english', content::jsonb ->> 'trigger')))))
           / greatest(cardinality(words), 3)::float8 as similarity
      from public.memories, asked
     where user_id = (select behavior.caller())
       and type = 'workflow'
       and behavior.workflow_problem(content, metadata) is null
       and (%(project)s::text is null or metadata ->> 'project' = %(project)s)
     order by similarity desc, coalesce((metadata ->> 'started_at')::timestamptz, created_at) desc, id
     limit %(limit)s
)
select id, trigger, context, actions, final_outcome, confidence, use_count, last_used_at, created_at, started_at,
       session_id, source_key, provenance, similarity
  from behavior.workflows join best using (id)
 where user_id = (select behavior.caller())
   -- Repeated for the planner: it then finds these rows by key, and parses no others.
   and id = any (array(select id from best))
   and similarity > 0
 order by similarity desc, started_at desc, id
