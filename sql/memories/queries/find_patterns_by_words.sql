-- The caller's own patterns of which a trigger shares words with a text, for use without an embedder. The similarity is
-- the share of the text's words that the trigger contains, so that it means the same for every text.
-- A text longer than a trigger is cut: full text search has a limit, and prompts have none.
with asked as (
    select tsvector_to_array(to_tsvector('pg_catalog.english', left(%(text)s, 32768))) as words
), patterns as materialized (
    select id, coalesce(metadata ->> 'source_key', id::text) as source_key, content::jsonb ->> 'trigger' as trigger,
           coalesce((metadata ->> 'started_at')::timestamptz, created_at) as began_at
      from public.memories
     where user_id = (select behavior.caller())
       and type = 'workflow'
       and behavior.workflow_problem(content, metadata) is null
       and (%(project)s::text is null or metadata ->> 'project' = %(project)s)
), triggers as (
    select id, trigger, began_at from patterns
    union all
    select patterns.id, e.trigger, e.started_at
      from behavior.episodes e join patterns on patterns.source_key = e.pattern_key
     where e.user_id = (select behavior.caller())
       and (%(project)s::text is null or e.project = %(project)s)
), best as (
    select distinct on (id) id, trigger as nearest_trigger, similarity
      from asked
           cross join triggers
           -- With "offset 0" the words are compared once per row, not once per use of the similarity.
           cross join lateral (
               select cardinality(array(select unnest(words)
                                        intersect
                                        select unnest(tsvector_to_array(to_tsvector('pg_catalog.english', trigger)))))
                      / greatest(cardinality(words), 3)::float8 as similarity
               offset 0) as compared
     where similarity > 0
     order by id, similarity desc, began_at desc, trigger
), found as materialized (
    select id, nearest_trigger, similarity
      from best join patterns using (id)
     order by similarity desc, began_at desc, id
     limit %(limit)s
)
select id, trigger, context, actions, final_outcome, confidence, use_count, last_used_at, created_at, started_at,
       session_id, source_key, provenance, workflow, nearest_trigger, similarity
  from behavior.workflows join found using (id)
 where user_id = (select behavior.caller())
   -- Repeated for the planner: it then finds these rows by key, and parses no others.
   and id = any (array(select id from found))
 order by similarity desc, started_at desc, id
