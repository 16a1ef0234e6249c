-- The caller's own patterns whose trigger is nearest to a vector, nearest first.
select id, trigger, context, actions, final_outcome, confidence, use_count, last_used_at, created_at, started_at,
       session_id, source_key, provenance, similarity
  from behavior.find_similar_workflows(%(embedding)s, %(embedding_model)s, %(min_similarity)s, %(limit)s::integer, %(project)s)
