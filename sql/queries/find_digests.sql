-- What the patterns of one project are computed from: the caller's episodes, without their turns.
select source_key, part_of, session_id, project, trigger, started_at, outcome, digest, use_count, last_used_at
  from behavior.episodes
 where user_id = (select behavior.caller())
   and project = %(project)s
