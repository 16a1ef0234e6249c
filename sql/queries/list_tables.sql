-- All tables of a database, ours and others'.
select n.nspname as schema_name, c.relname as table_name
  from pg_class c
       join pg_namespace n on n.oid = c.relnamespace
 where c.relkind = 'r'
   and n.nspname not in ('pg_catalog', 'information_schema')
