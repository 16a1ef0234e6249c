-- Add the users of rows; only for our own table of users.
insert into auth.users (id)
select unnest(%(user_ids)s::uuid[])
    on conflict do nothing
