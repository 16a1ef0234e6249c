-- The progress of an index build on the patterns in any session; no row if there is none.
select phase, blocks_done, blocks_total, tuples_done, tuples_total
  from pg_stat_progress_create_index
 where relid = to_regclass('public.behavior_patterns')
   and datname = current_database()
