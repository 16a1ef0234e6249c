-- Make users known that rows belong to; to be asked only where the users are ours to make.
insert into auth.users (id)
select unnest(%(user_ids)s::uuid[])
    on conflict do nothing
