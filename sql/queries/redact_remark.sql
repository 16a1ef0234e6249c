-- Save the texts of one remark of the caller's as newer rules for secrets leave them.
update behavior.remarks
   set note = %(note)s,
       details = %(details)s,
       redaction_version = %(version)s
 where user_id = (select behavior.caller())
   and id = %(id)s
