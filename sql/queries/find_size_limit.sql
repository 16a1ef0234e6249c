-- The bytes that the caller's evidence takes, and when the work began that goes beyond a limit, counted from the newest;
-- null if none does.
select coalesce(sum(size), 0)::bigint as bytes, max(started_at) filter (where total > %(limit)s) as beyond
  from (select started_at, size, sum(size) over (order by started_at desc, source_key desc) as total
          from (select started_at, source_key,
                       pg_column_size(trigger) + pg_column_size(turns) + pg_column_size(digest)
                       + coalesce(pg_column_size(trigger_embedding), 0) + 500 as size
                  from behavior.episodes
                 where user_id = (select behavior.caller())) as sized) as summed
