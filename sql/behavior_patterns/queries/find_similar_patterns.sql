-- The caller's own patterns of which a trigger is nearest to a vector, nearest first. Those that are not near enough are
-- only compared with the others, by their steps: their actions, which are long, are left out.
select id, trigger, context,
       case when workflow is null or similarity >= %(min_similarity)s then actions else '[]'::jsonb end as actions,
       final_outcome, confidence, use_count, last_used_at, created_at, started_at, session_id, source_key,
       provenance - 'memory' as provenance, workflow, nearest_trigger, trigger_similarities, similarity
  from public.find_similar_patterns(%(embedding)s, %(embedding_model)s, -1, %(limit)s::integer, %(project)s)
