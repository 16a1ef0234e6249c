-- The sessions of the caller's episodes that older rules for secrets have redacted, in the order of their ids.
select distinct session_id
  from behavior.episodes
 where user_id = (select behavior.caller())
   and redaction_version < %(version)s
   and session_id > %(after)s
 order by session_id
 limit %(limit)s
