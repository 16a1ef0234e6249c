-- Note which pattern each of these episodes belongs to now.
update behavior.episodes e
   set pattern_key = given.pattern_key,
       is_folded = true
  from unnest(%(source_keys)s::text[], %(pattern_keys)s::text[]) as given (source_key, pattern_key)
 where e.user_id = (select behavior.caller())
   and e.source_key = given.source_key
   and (e.pattern_key <> given.pattern_key or not e.is_folded)
