-- Mark work as forgotten by the caller.
insert into behavior.remarks (user_id, pattern_key, kind, details)
select (select behavior.caller()), mark, 'forgotten', jsonb_build_object('salt', %(salt)s::text)
  from unnest(%(marks)s::text[]) as mark
returning pattern_key
