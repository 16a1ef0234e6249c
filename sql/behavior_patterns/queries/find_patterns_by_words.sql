-- The caller's own patterns that share words with a text, for when there is no embedder. The similarity is the share
-- of the text's words that the trigger has, so that it means the same for every text.
-- Of a text longer than any trigger the beginning is read: full text search has an end, and prompts have none.
with asked as (
    select tsvector_to_array(to_tsvector('pg_catalog.english', left(%(text)s, 32768))) as words
)
select id, trigger, context, actions, final_outcome, confidence, use_count, last_used_at, created_at, started_at,
       session_id, source_key, provenance - 'memory' as provenance, similarity
  from (select bp.*,
               cardinality(array(select unnest(words)
                                 intersect
                                 select unnest(tsvector_to_array(to_tsvector('pg_catalog.english', trigger)))))::float8
               / greatest(cardinality(words), 3) as similarity
          from public.behavior_patterns bp, asked
         where user_id = (select behavior.caller())
           and (%(project)s::text is null or project = %(project)s)
         order by similarity desc, started_at desc, id
         limit %(limit)s) most
 where similarity > 0
 order by similarity desc, started_at desc, id
