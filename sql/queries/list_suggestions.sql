-- The suggestions that the caller got, or that were withheld, since some time, the oldest first; each with the number of
-- steps and the duration of the work that came next in its session, once it is judged.
select r.id, r.pattern_key, r.kind, r.session_id, r.is_followed, r.outcome, r.note, r.details, r.made_at,
       case when jsonb_typeof(e.digest -> 'steps') = 'array' then jsonb_array_length(e.digest -> 'steps') end as steps,
       case when jsonb_typeof(e.digest -> 'took_ms') = 'number' then (e.digest ->> 'took_ms')::numeric end as took_ms
  from behavior.remarks r
       left join lateral (
           select digest
             from behavior.episodes
            where user_id = r.user_id
              and session_id = r.session_id
              and part_of = ''
              and started_at <= r.made_at
              and r.is_followed is not null
            order by (select max(turn_start) from unnest(turn_starts) turn_start where turn_start <= r.made_at) desc
                     nulls last, source_key
            limit 1) e on true
 where r.user_id = (select behavior.caller())
   and r.kind in ('shown', 'withheld')
   and (%(since)s::timestamptz is null or r.made_at >= %(since)s)
 order by r.made_at, r.id
