-- The suggestions that were shown to the caller, or withheld, in some sessions.
select id, pattern_key, kind, session_id, is_followed, outcome, note, details, made_at
  from behavior.remarks
 where user_id = (select behavior.caller())
   and session_id = any (%(session_ids)s::text[])
   and kind in ('shown', 'withheld')
 order by made_at, id
