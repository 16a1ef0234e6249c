-- pgvector: used in whatever schema it is installed, else installed in schema extensions.
begin;
set local lock_timeout = '15s';
select pg_advisory_xact_lock(7236430166542121);

do $$
declare
    home name;
begin
    -- Tested by hand for the reason given in 0001_auth_shim.sql; "create extension if not exists" does look first.
    if to_regnamespace('extensions') is null then
        create schema extensions;
        grant usage on schema extensions to anon, authenticated, service_role;
    end if;
    begin
        create extension if not exists vector with schema extensions;
    exception
        when feature_not_supported or undefined_file then
            raise exception 'pgvector is not installed on the server (on Debian: postgresql-NN-pgvector)';
        when insufficient_privilege then
            raise exception 'this login may not run "create extension vector": a superuser must, in this database';
    end;
    home := (select extnamespace::regnamespace::name from pg_extension where extname = 'vector');
    if not has_schema_privilege(home, 'usage') then
        raise exception 'pgvector is in schema %, which this login may not use: grant usage on schema % to %',
              home, home, current_user;
    end if;
    if (select string_to_array(extversion, '.')::int[] < array[0, 8] from pg_extension where extname = 'vector') then
        raise exception 'pgvector 0.8 or newer is needed: alter extension vector update';
    end if;
end
$$;

insert into behavior.migrations (version, name) values (2, 'vector') on conflict do nothing;
commit;
