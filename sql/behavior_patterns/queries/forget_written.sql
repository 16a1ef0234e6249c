-- Delete the patterns that the caller wrote itself and that are to be forgotten; each null fits all. With is_everything
-- the computed ones go too. Returns their keys.
delete from public.behavior_patterns bp
 where user_id = (select behavior.caller())
   and (workflow is null or %(is_everything)s)
   and (%(pattern_key)s::text is null or source_key = %(pattern_key)s)
   and (%(session_id)s::text is null or session_id = %(session_id)s)
   and (%(project)s::text is null or project = %(project)s)
   and (%(since)s::timestamptz is null or started_at >= %(since)s)
   and (%(until)s::timestamptz is null or started_at < %(until)s)
   and (%(text)s::text is null
        or position(lower(%(text)s) in lower(trigger)) > 0
        or exists (select
                     from jsonb_path_query(jsonb_build_array(context, actions, provenance),
                                           '$.** ? (@.type() == "string")') as found (string)
                    where position(lower(%(text)s) in lower(string #>> '{}')) > 0))
returning source_key
