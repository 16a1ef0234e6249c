-- How many of the caller's sessions, and of the caller's remarks, older rules for secrets have redacted. The marks of
-- forgotten work have no text.
select (select count(distinct session_id)
          from behavior.episodes
         where user_id = (select behavior.caller())
           and redaction_version < %(version)s) as sessions,
       (select count(*)
          from behavior.remarks
         where user_id = (select behavior.caller())
           and kind <> 'forgotten'
           and redaction_version < %(version)s) as remarks
