-- pgvector: used in whatever schema it is installed, else installed in schema extensions.
begin;
select pg_advisory_xact_lock(7236430166542121);

do $$
begin
    -- Tested by hand for the reason given in 0001_auth_shim.sql; "create extension if not exists" does look first.
    if to_regnamespace('extensions') is null then
        create schema extensions;
        grant usage on schema extensions to anon, authenticated, service_role;
    end if;
    create extension if not exists vector with schema extensions;
    if (select string_to_array(extversion, '.')::int[] < array[0, 8] from pg_extension where extname = 'vector') then
        raise exception 'pgvector 0.8 or newer is needed: alter extension vector update';
    end if;
end
$$;

insert into behavior.migrations (version, name) values (2, 'vector') on conflict do nothing;
commit;
