-- The number of patterns with a vector, the number of the user with most of them, and whether the table is partitioned;
-- for an owner.
select coalesce(sum(patterns), 0)::bigint as patterns, coalesce(max(patterns), 0)::bigint as largest_user,
       (select relkind = 'p' from pg_class where oid = 'public.behavior_patterns'::regclass) as is_split
  from (select count(*) as patterns
          from public.behavior_patterns
         where embedding_model is not null
         group by user_id) users
