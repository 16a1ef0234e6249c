-- Note that these episodes of the caller's are redacted by the rules of a version.
update behavior.episodes
   set redaction_version = %(version)s
 where user_id = (select behavior.caller())
   and source_key = any (%(source_keys)s::text[])
   and redaction_version < %(version)s
