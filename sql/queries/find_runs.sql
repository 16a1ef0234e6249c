-- The caller's episodes with these keys, whole, with their vectors.
select source_key, part_of, session_id, turns, outcome, because, digest, pattern_key,
       trigger_embedding::text as embedding, case when trigger_embedding is not null then embedding_model end as model
  from behavior.episodes
 where user_id = (select behavior.caller())
   and source_key = any (%(source_keys)s::text[])
