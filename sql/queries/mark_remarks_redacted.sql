-- Note that these remarks of the caller's are redacted by the rules of a version.
update behavior.remarks
   set redaction_version = %(version)s
 where user_id = (select behavior.caller())
   and id = any (%(ids)s::uuid[])
