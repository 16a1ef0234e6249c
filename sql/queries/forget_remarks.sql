-- Delete the caller's remarks that are to be forgotten: those on patterns that are gone, the suggestions that sessions
-- that are gone got, and those that fit by themselves. Each null fits all. What users said of a pattern that stays fits
-- only by its text: it has no session, and is not less true for being old. Returns the keys of their patterns.
delete from behavior.remarks
 where user_id = (select behavior.caller())
   and kind <> 'forgotten'
   and (%(is_everything)s
        or pattern_key = any (%(gone_patterns)s::text[])
        or (session_id <> '' and session_id = any (%(gone_sessions)s::text[]))
        or ((kind in ('shown', 'withheld') or %(text)s::text is not null)
            and (%(pattern_keys)s::text[] is null or pattern_key = any (%(pattern_keys)s))
            and (%(session_id)s::text is null or session_id = %(session_id)s)
            and (%(since)s::timestamptz is null or made_at >= %(since)s)
            and (%(until)s::timestamptz is null or made_at < %(until)s)
            and (%(text)s::text is null
                 or position(lower(%(text)s) in lower(note)) > 0
                 or exists (select
                              from jsonb_path_query(details, '$.** ? (@.type() == "string")') as found (string)
                             where position(lower(%(text)s) in lower(string #>> '{}')) > 0))))
returning pattern_key, kind
