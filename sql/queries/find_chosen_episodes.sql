-- The next of the caller's episodes after this key that fit what is to be forgotten; each null fits all. A text is looked
-- for in every text of the turns, in upper and lower case. Parts count only where a pattern is named: it may stand on a
-- part alone, and everything else of a part is in the whole too.
select source_key, part_of, session_id, project, pattern_key, trigger, started_at,
       jsonb_array_length(turns) as turns
  from behavior.episodes
 where user_id = (select behavior.caller())
   and source_key > %(after)s
   and (part_of = '' or %(pattern_key)s::text is not null)
   and (%(pattern_key)s::text is null or pattern_key = %(pattern_key)s)
   and (%(session_id)s::text is null or session_id = %(session_id)s)
   and (%(project)s::text is null or project = %(project)s)
   and (%(since)s::timestamptz is null or started_at >= %(since)s)
   and (%(until)s::timestamptz is null or started_at < %(until)s)
   and (%(text)s::text is null
        or position(lower(%(text)s) in lower(trigger || ' ' || because)) > 0
        or exists (select
                     from jsonb_path_query(turns, '$.** ? (@.type() == "string")') as found (string)
                    where position(lower(%(text)s) in lower(string #>> '{}')) > 0)
        or exists (select
                     from jsonb_path_query(turns, '$[*].actions[*].parameters.** ? (@.type() == "object").keyvalue().key')
                          as found (name)
                    where position(lower(%(text)s) in lower(name #>> '{}')) > 0))
 order by source_key
 limit %(limit)s
