-- The caller's episodes of one project without their turns, from which its patterns are computed.
select source_key, part_of, session_id, project, trigger, started_at, outcome, digest, use_count, last_used_at
  from behavior.episodes
 where user_id = (select behavior.caller())
   and project = %(project)s
