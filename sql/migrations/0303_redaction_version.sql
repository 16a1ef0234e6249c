-- Which version of the rules for secrets each row was redacted by, so that newer rules find the rows of older ones.
begin;
set local lock_timeout = '15s';
select pg_advisory_xact_lock(7236430166542121);

-- The rows that are there already were redacted by the first version.
alter table behavior.episodes add column if not exists redaction_version smallint not null default 1
    constraint episodes_redaction_version_check check (redaction_version > 0);
alter table behavior.remarks add column if not exists redaction_version smallint not null default 1
    constraint remarks_redaction_version_check check (redaction_version > 0);

-- No statistics, as for the other columns.
alter table behavior.episodes alter column redaction_version set statistics 0;
alter table behavior.remarks alter column redaction_version set statistics 0;

comment on column behavior.episodes.redaction_version is 'The version of the rules for secrets that redacted the row';
comment on column behavior.remarks.redaction_version is 'The version of the rules for secrets that redacted the row';

create index if not exists episodes_user_redaction_idx
    on behavior.episodes (user_id, redaction_version, session_id);

grant insert (redaction_version) on table behavior.episodes to authenticated;
grant update (redaction_version) on table behavior.episodes to authenticated;
grant insert (redaction_version) on table behavior.remarks to authenticated;
-- Not the texts: whoever redacts them replaces the row.
grant update (redaction_version) on table behavior.remarks to authenticated;

insert into behavior.migrations (version, name) values (303, 'redaction_version') on conflict do nothing;
commit;
