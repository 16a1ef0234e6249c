-- The sessions of the caller's episodes whose digests an earlier version computed.
select distinct session_id
  from behavior.episodes
 where user_id = (select behavior.caller())
   and schema_version < %(version)s
   and session_id > %(after)s
 order by session_id
 limit %(limit)s
