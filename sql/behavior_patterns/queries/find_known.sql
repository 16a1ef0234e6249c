-- Of many patterns, the keys of those that save_pattern.sql would not change: the row of that key has as much, or there
-- is none and all of the work is stored under another key. A key that is given twice has to be known twice.
with given as (
    select source_key, trigger, started_at, final_outcome, action_count, calls
      from jsonb_to_recordset(%(patterns)s::jsonb)
               as given (source_key text, trigger text, started_at timestamptz, final_outcome text,
                         action_count integer, calls jsonb)
), judged as (
    select given.source_key,
           case
               when own.source_key is null
               then exists (select from public.behavior_patterns other
                             where other.user_id = (select behavior.caller())
                               and other.started_at = given.started_at
                               and other.trigger = given.trigger
                               and other.actions @> given.calls
                               and (other.final_outcome <> 'partial' or given.final_outcome = 'partial'))
               else not (given.action_count > jsonb_array_length(own.actions)
                         or (given.action_count = jsonb_array_length(own.actions)
                             and ((own.trigger_embedding is null and %(with_embedding)s)
                                  or (own.final_outcome = 'partial' and given.final_outcome <> 'partial'))))
           end as is_known
      from given
           -- With "offset 0" each one is looked up by its key; a plain join would read all of the user's rows.
           left join lateral (select bp.source_key, bp.actions, bp.trigger_embedding, bp.final_outcome
                                from public.behavior_patterns bp
                               where bp.user_id = (select behavior.caller())
                                 and bp.source_key = given.source_key
                              offset 0) own on true
)
select source_key
  from judged
 group by source_key
having bool_and(is_known)
