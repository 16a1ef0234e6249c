-- Replace one remark of the caller's by the same with other texts: nobody may change what a stored one says.
with former as (
    delete from behavior.remarks
     where user_id = (select behavior.caller())
       and id = %(id)s
    returning pattern_key, kind, session_id, is_followed, outcome, made_at
)
insert into behavior.remarks
       (user_id, pattern_key, kind, session_id, is_followed, outcome, note, details, redaction_version, made_at)
select (select behavior.caller()), pattern_key, kind, session_id, is_followed, outcome, %(note)s, %(details)s,
       %(version)s, made_at
  from former
