-- The caller's remarks that older rules for secrets have redacted.
select id, pattern_key, kind, session_id, is_followed, outcome, note, details, made_at
  from behavior.remarks
 where user_id = (select behavior.caller())
   and kind <> 'forgotten'
   and redaction_version < %(version)s
 order by made_at, id
