-- Store exported remarks unchanged, as those of one user if one is named. Remarks that are stored already stay as they
-- are. Their patterns are computed again. Returns for each whether it was added; `is_there` is
-- always true, since each is stored now.
with given as (
    select place, kept.*
      from unnest(%(lines)s::jsonb[]) with ordinality as lines (line, place)
           cross join lateral jsonb_populate_record(
               null::behavior.remarks,
               line || jsonb_strip_nulls(jsonb_build_object('user_id', %(user_id)s::uuid))) as kept
), added as (
    insert into behavior.remarks
           (user_id, id, pattern_key, kind, session_id, is_followed, outcome, note, details, redaction_version,
            made_at)
    select user_id, id, pattern_key, kind, session_id, is_followed, outcome, note, details,
           coalesce(redaction_version, 1), made_at
      from given
        on conflict do nothing
    returning user_id, id, pattern_key
), marked as (
    update behavior.episodes e
       set is_folded = false
      from added
     where e.user_id = added.user_id
       and e.pattern_key = added.pattern_key
       and e.is_folded
)
select given.user_id, given.id, added.id is not null as is_added, true as is_there
  from given left join added using (user_id, id)
 order by place
