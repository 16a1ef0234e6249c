-- Of many patterns, the keys of those that save_pattern.sql would not change: the row of that key has as much (or is
-- not a pattern), or there is none and all of the work is stored under another key. A key that is given twice has to be
-- known twice.
with given as (
    select pattern ->> 'source_key' as source_key, pattern ->> 'trigger' as trigger,
           metadata ->> 'started_at' as started_at, pattern ->> 'final_outcome' as final_outcome,
           (pattern ->> 'action_count')::integer as action_count, pattern -> 'calls' as calls
      from jsonb_array_elements(%(patterns)s::jsonb) as pattern
           cross join lateral behavior.to_memory(pattern)
), there as materialized (
    -- The user's rows are read once for all patterns: under a policy no index over metadata can be used.
    select m.metadata ->> 'source_key' as source_key, m.metadata ->> 'started_at' as started_at,
           m.embedding is null as lacks_embedding, read.trigger, read.actions, read.final_outcome
      from public.memories m
           left join lateral behavior.from_memory(m.content, m.metadata) as read on true
     where m.user_id = (select behavior.caller())
       and m.type = 'workflow'
       and (m.metadata ->> 'source_key' in (select source_key from given)
            or m.metadata ->> 'started_at' in (select started_at from given))
), judged as (
    select given.source_key,
           case
               when own.source_key is null
               then exists (select from there other
                             where other.started_at = given.started_at
                               and other.trigger = given.trigger
                               and other.actions @> given.calls
                               and (other.final_outcome <> 'partial' or given.final_outcome = 'partial'))
               else (given.action_count > jsonb_array_length(own.actions)
                     or (given.action_count = jsonb_array_length(own.actions)
                         and ((own.lacks_embedding and %(with_embedding)s)
                              or (own.final_outcome = 'partial' and given.final_outcome <> 'partial')))) is not true
           end as is_known
      from given left join there own using (source_key)
)
select source_key
  from judged
 group by source_key
having bool_and(is_known)
