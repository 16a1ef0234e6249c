-- Note what became of a pattern of the caller's, or what he says of it.
insert into behavior.remarks (user_id, pattern_key, kind, session_id, note, details, redaction_version, made_at)
values ((select behavior.caller()), %(pattern_key)s, %(kind)s, %(session_id)s, %(note)s, %(details)s,
        %(redaction_version)s, %(made_at)s)
