-- pgvector: used where it lives, made in schema extensions where it does not live yet.
begin;
select pg_advisory_xact_lock(7236430166542121);

do $$
begin
    if to_regnamespace('extensions') is null then
        create schema extensions;
        grant usage on schema extensions to anon, authenticated, service_role;
    end if;
    if not exists (select from pg_extension where extname = 'vector') then
        create extension vector with schema extensions;
    end if;
    if (select string_to_array(extversion, '.')::int[] < array[0, 8] from pg_extension where extname = 'vector') then
        raise exception 'pgvector 0.8 or newer is needed: alter extension vector update';
    end if;
end
$$;

insert into behavior.migrations (version, name) values (2, 'vector') on conflict do nothing;
commit;
