-- Note which pattern each of these episodes belongs to now. A move from one pattern to another changes no count, so that
-- recall sees it by `updated_at`, which `trigger` sets even if it stays the same.
with moved as (
    update behavior.episodes e
       set pattern_key = given.pattern_key,
           is_folded = true,
           trigger = e.trigger
      from unnest(%(source_keys)s::text[], %(pattern_keys)s::text[]) as given (source_key, pattern_key)
     where e.user_id = (select behavior.caller())
       and e.source_key = given.source_key
       and e.pattern_key <> given.pattern_key
)
update behavior.episodes e
   set is_folded = true
  from unnest(%(source_keys)s::text[], %(pattern_keys)s::text[]) as given (source_key, pattern_key)
 where e.user_id = (select behavior.caller())
   and e.source_key = given.source_key
   and e.pattern_key = given.pattern_key
   and not e.is_folded
