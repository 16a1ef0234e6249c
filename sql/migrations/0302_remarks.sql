-- Suggestions that were shown or withheld, and the user's feedback, edits and merges. A pattern can be computed again
-- at any time; these rows cannot, since no session contains them.
begin;
set local lock_timeout = '15s';
select pg_advisory_xact_lock(7236430166542121);

create table if not exists behavior.remarks (
    user_id     uuid        not null references auth.users (id) on delete cascade,
    id          uuid        not null default gen_random_uuid(),
    -- The source_key of the pattern.
    pattern_key text        not null check (octet_length(pattern_key) between 1 and 200),
    kind        text        not null
                            check (kind in ('shown', 'withheld', 'good', 'bad', 'hide', 'show', 'edit', 'merge')),
    session_id  text        not null default '' check (octet_length(session_id) <= 200),
    -- What was shown or withheld: whether the work that came next followed it, and how that ended. Null until the
    -- session is over.
    is_followed boolean,
    outcome     text        check (outcome in ('success', 'partial', 'failed')),
    note        text        not null default '' check (octet_length(note) <= 8192),
    -- The steps as the user wrote them, or the key of the pattern that this one is a part of now; of a suggestion its
    -- steps, and the share that was withheld at the time.
    details     jsonb       not null default '{}'::jsonb
                            check (jsonb_typeof(details) = 'object' and pg_column_size(details) <= 262144
                                   and not details @? '$.**{64}'),
    made_at     timestamptz not null default now()
                            check (made_at between '0001-01-02 00:00+00' and '9999-12-30 00:00+00'),
    -- The user comes first in every key, so that the table can be partitioned by user, or spread over machines.
    primary key (user_id, id)
);

-- No statistics: the planner's estimates draw on everybody's values, and EXPLAIN shows them to anybody.
do $$
begin
    execute (select 'alter table behavior.remarks ' || string_agg(format('alter column %I set statistics 0', attname), ', ')
               from pg_attribute
              where attrelid = 'behavior.remarks'::regclass and attnum > 0 and not attisdropped);
end
$$;
comment on table behavior.remarks is 'What became of each pattern, and what its user said of it';

create index if not exists remarks_user_pattern_idx
    on behavior.remarks (user_id, pattern_key);
create index if not exists remarks_user_session_idx
    on behavior.remarks (user_id, session_id);

alter table behavior.remarks enable row level security;
alter table behavior.remarks force row level security;

-- TRUNCATE bypasses row level security, so everything is revoked before the little that is needed is granted.
revoke all on table behavior.remarks from public, anon, authenticated, service_role;
grant select, insert, update, delete on table behavior.remarks to service_role;
grant select, delete on table behavior.remarks to authenticated;
grant insert (user_id, pattern_key, kind, session_id, is_followed, outcome, note, details, made_at)
   on table behavior.remarks to authenticated;
grant update (is_followed, outcome) on table behavior.remarks to authenticated;

-- (select behavior.caller()) is evaluated once per query; without the select, once per row.
drop policy if exists own_remarks_select on behavior.remarks;
create policy own_remarks_select on behavior.remarks
    for select to authenticated using ((select behavior.caller()) = user_id);

drop policy if exists own_remarks_insert on behavior.remarks;
create policy own_remarks_insert on behavior.remarks
    for insert to authenticated with check ((select behavior.caller()) = user_id);

drop policy if exists own_remarks_update on behavior.remarks;
create policy own_remarks_update on behavior.remarks
    for update to authenticated
    using ((select behavior.caller()) = user_id) with check ((select behavior.caller()) = user_id);

drop policy if exists own_remarks_delete on behavior.remarks;
create policy own_remarks_delete on behavior.remarks
    for delete to authenticated using ((select behavior.caller()) = user_id);

insert into behavior.migrations (version, name) values (302, 'remarks') on conflict do nothing;
commit;
