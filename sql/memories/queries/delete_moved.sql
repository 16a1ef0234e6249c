-- Delete the memories whose pattern is in behavior_patterns, either the same in all but its counters or updated since.
delete from public.memories m
 using public.behavior_patterns bp
 where bp.user_id = m.user_id
   and bp.id = m.id
   and m.type = 'workflow'
   and (select bp.source_key = pattern ->> 'source_key'
               and (bp.updated_at > (pattern ->> 'updated_at')::timestamptz
                    or to_jsonb(bp) - array['use_count', 'last_used_at', 'trigger_bits']
                       = pattern - array['use_count', 'last_used_at'])
          from (select behavior.pattern_row(m) as pattern offset 0) as here)
