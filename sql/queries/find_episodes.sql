-- The caller's episodes of some sessions, and those of other sessions with a turn that began at one of some moments with
-- one of some prompts: a fork repeats the turns of another session. No parts, since they repeat the turns of their wholes.
select source_key, session_id, turns, outcome, because, digest, pattern_key
  from behavior.episodes
 where user_id = (select behavior.caller())
   and part_of = ''
   and (session_id = any (%(session_ids)s::text[])
        or (started_at between %(first)s::timestamptz - interval '90 days' and %(last)s::timestamptz
            and turn_starts && %(starts)s::timestamptz[]
            and exists (select from jsonb_array_elements(turns) as turn
                         where turn ->> 'prompt' = any (%(prompts)s::text[]))))
 order by started_at, source_key
