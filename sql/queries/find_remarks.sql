-- The caller's remarks on some patterns, the oldest first.
select id, pattern_key, kind, session_id, is_followed, outcome, note, details, made_at
  from behavior.remarks
 where user_id = (select behavior.caller())
   and pattern_key = any (%(pattern_keys)s::text[])
 order by made_at, id
