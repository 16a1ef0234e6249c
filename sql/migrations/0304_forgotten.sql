-- Marks of forgotten work, as remarks: a log that is read again must not bring it back. A mark is a salted hash of the
-- key of a turn, in place of the pattern's key; the salt is in the details. It has no text of the turn.
begin;
set local lock_timeout = '15s';
select pg_advisory_xact_lock(7236430166542121);

alter table behavior.remarks drop constraint if exists remarks_kind_check;
alter table behavior.remarks add constraint remarks_kind_check
    check (kind in ('shown', 'withheld', 'good', 'bad', 'hide', 'show', 'edit', 'merge', 'forgotten'));

insert into behavior.migrations (version, name) values (304, 'forgotten') on conflict do nothing;
commit;
