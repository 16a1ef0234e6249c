-- The caller's own patterns that share words with a text, for use without an embedder. The similarity is the share of
-- the text's words that the trigger contains, so that it means the same for every text.
-- A text longer than a trigger is cut: full text search has a limit, and prompts have none.
with asked as (
    select tsvector_to_array(to_tsvector('pg_catalog.english', left(%(text)s, 32768))) as words
)
select id, trigger, context, actions, final_outcome, confidence, use_count, last_used_at, created_at, started_at,
       session_id, source_key, provenance - 'memory' as provenance, similarity
  from asked
       cross join public.behavior_patterns
       -- With "offset 0" the words are compared once per row, not once per use of the similarity.
       cross join lateral (
           select cardinality(array(select unnest(words)
                                    intersect
                                    select unnest(tsvector_to_array(to_tsvector('pg_catalog.english', trigger)))))
                  / greatest(cardinality(words), 3)::float8 as similarity
           offset 0) as compared
 where user_id = (select behavior.caller())
   and (%(project)s::text is null or project = %(project)s)
   and similarity > 0
 order by similarity desc, started_at desc, id
 limit %(limit)s
