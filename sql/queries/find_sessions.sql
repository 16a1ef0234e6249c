-- Everything of the caller's that is stored of some sessions, parts included.
select source_key, part_of, session_id, project, turns, outcome, because, digest, pattern_key, schema_version,
       redaction_version
  from behavior.episodes
 where user_id = (select behavior.caller())
   and session_id = any (%(session_ids)s::text[])
 order by started_at, source_key
