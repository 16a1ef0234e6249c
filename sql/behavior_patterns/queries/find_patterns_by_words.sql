-- The caller's own patterns of which a trigger shares words with a text, for use without an embedder. The similarity is
-- the share of the text's words that the trigger contains, so that it means the same for every text.
-- A text longer than a trigger is cut: full text search has a limit, and prompts have none.
with asked as (
    select tsvector_to_array(to_tsvector('pg_catalog.english', left(%(text)s, 32768))) as words
), triggers as (
    select source_key, trigger, started_at
      from public.behavior_patterns
     where user_id = (select behavior.caller())
       and (%(project)s::text is null or project = %(project)s)
    union all
    select pattern_key, trigger, started_at
      from behavior.episodes
     where user_id = (select behavior.caller())
       and (%(project)s::text is null or project = %(project)s)
       and pattern_key <> ''
), best as (
    select distinct on (source_key) source_key, trigger, similarity
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
     order by source_key, similarity desc, triggers.started_at desc, trigger
)
select bp.id, bp.trigger, bp.context, bp.actions, bp.final_outcome, bp.confidence, bp.use_count, bp.last_used_at,
       bp.created_at, bp.started_at, bp.session_id, bp.source_key, bp.provenance - 'memory' as provenance, bp.workflow,
       best.trigger as nearest_trigger, similarity
  from best
       join public.behavior_patterns bp on bp.user_id = (select behavior.caller()) and bp.source_key = best.source_key
 order by similarity desc, bp.started_at desc, bp.id
 limit %(limit)s
