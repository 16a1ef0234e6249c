-- Delete the memories whose pattern is in behavior_patterns: the same in all but its counters, updated since, or computed
-- there from the same evidence.
with moved as (
    select m.user_id, m.id
      from public.memories m
           join public.behavior_patterns bp on bp.user_id = m.user_id and bp.id = m.id
     where m.type = 'workflow'
       and (select bp.source_key = pattern ->> 'source_key'
                   and (bp.updated_at > (pattern ->> 'updated_at')::timestamptz
                        or to_jsonb(bp) - array['use_count', 'last_used_at', 'trigger_bits']
                           = pattern - array['use_count', 'last_used_at'])
              from (select behavior.pattern_row(m) as pattern offset 0) as here)
    union
    select m.user_id, m.id
      from public.memories m
           join public.behavior_patterns bp on bp.user_id = m.user_id and bp.source_key = m.metadata ->> 'source_key'
     where m.type = 'workflow'
       and m.metadata #>> '{workflow,job}' is not null
       and bp.workflow is not null
)
delete from public.memories m
 using moved
 where m.user_id = moved.user_id
   and m.id = moved.id
