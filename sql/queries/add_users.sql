-- Add the users that rows belong to; only for a table of users that is ours.
insert into auth.users (id)
select unnest(%(user_ids)s::uuid[])
    on conflict do nothing
