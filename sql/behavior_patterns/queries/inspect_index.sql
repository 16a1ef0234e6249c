-- The index over all users' bits: its kind, whether searches can use it, its lists and its size; no row if there is
-- none. The search function sets the probes.
select am.amname as kind, i.indisvalid as is_valid, pg_relation_size(i.indexrelid) as bytes,
       (select option_value::integer
          from pg_options_to_table(c.reloptions)
         where option_name = 'lists') as lists,
       (select split_part(setting, '=', 2)::integer
          from pg_proc p, unnest(p.proconfig) setting
         where p.oid = to_regproc('public.find_similar_patterns')
           and setting like 'ivfflat.probes=%%') as probes
  from pg_index i
       join pg_class c on c.oid = i.indexrelid
       join pg_am am on am.oid = c.relam
 where i.indexrelid = to_regclass('public.behavior_patterns_trigger_bits_idx')
