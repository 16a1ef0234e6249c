"""`behavior db verify`: it reports each way in which somebody weakened a database, and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from uuid import UUID

import psycopg
import pytest

from behavior_plugin.cli import main
from behavior_plugin.config import Storage
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.store.maintenance.verify import Finding, failures, verify
from behavior_plugin.store.members import add_member, make_login
from behavior_plugin.store.migrate import migrate
from behavior_plugin.store.sql_files import SQL, STORAGES, migrations, script
from tests.database import LOGIN, A, B, ask, dump, insert, made_database, make_memories, make_user, rows, run_program
from tests.settings import configure

CROSSINGS = ["own rows", "others' rows", "forged claims", "no claims", "anon", "stranger"]
EVERYBODY_ELSE = ["others' rows", "forged claims", "no claims", "stranger"]


def run_by_hand(server: Server, dbname: str, storage: Storage) -> tuple[int, str]:
    """Run the checks as sql/README.md says; returns psql's exit status and the last line of its output."""
    files = [str(SQL / "verify.sql"), str(SQL / storage / "verify.sql")]
    options = ["-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=terse", *(option for file in files for option in ("-f", file))]
    done = run_program(server, "psql", dbname, "--no-psqlrc", "-q", *options)
    return done.returncode, done.stderr.strip().splitlines()[-1].partition("  ")[2]


@pytest.fixture
def filled(owner: psycopg.Connection, storage: Storage) -> psycopg.Connection:
    """A database with patterns of two users."""
    for user in (A, B):
        make_user(owner, user)
        insert(owner, user, "key", storage)
    return owner


@pytest.fixture(scope="module")
def tampered(server: Server, templates: Callable[[Storage], str]) -> Iterator[dict[Storage, psycopg.Connection]]:
    """One database for each storage, in which all changes are rolled back."""
    with ExitStack() as stack:
        found = {}
        for storage in STORAGES:
            name = stack.enter_context(made_database(server, f"tampered_{storage}", template=templates(storage)))
            found[storage] = stack.enter_context(psycopg.connect(server.conninfo(dbname=name), autocommit=True))
        yield found


@pytest.mark.parametrize("storage", STORAGES)
def test_unchanged_database_passes(filled: psycopg.Connection, storage: Storage) -> None:
    """A false alarm would be ignored next time."""
    findings = verify(filled, storage)

    assert [finding for finding in findings if finding.verdict != "ok"] == []
    assert [finding.name for finding in findings][-len(CROSSINGS) :] == CROSSINGS


@pytest.mark.parametrize("storage", STORAGES)
def test_psql_can_run_the_checks(server: Server, filled: psycopg.Connection, storage: Storage) -> None:
    """Administrators of a shared database check it without our program."""
    assert run_by_hand(server, filled.info.dbname, storage) == (0, "ok: stranger")

    filled.execute(f"grant truncate on public.{storage} to anon".encode())
    assert run_by_hand(server, filled.info.dbname, storage) == (3, "failed: rights, anon")


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("statement", ["select", "create policy open on public.{table} using (true)"])
def test_verify_leaves_no_trace(server: Server, filled: psycopg.Connection, storage: Storage, statement: str) -> None:
    """It runs on databases with real users, and on damaged ones."""
    filled.execute(statement.format(table=storage).encode())
    before = dump(server, filled.info.dbname)
    roles = ask(filled, "select array_agg(pg_authid order by oid)::text from pg_authid")

    verify(filled, storage)

    assert dump(server, filled.info.dbname) == before
    assert ask(filled, "select array_agg(pg_authid order by oid)::text from pg_authid") == roles
    assert filled.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert ask(filled, "select current_user = session_user and current_setting('role') = 'none'") is True


# Ways to tamper with a database, and the checks that must then fail.
SABOTAGES: dict[str, list[str]] = {
    "alter table public.{table} disable row level security": ["row level security", *EVERYBODY_ELSE],
    "alter table public.{table} no force row level security": ["row level security"],
    "drop policy {own}_select on public.{table}": CROSSINGS,
    "drop policy {own}_delete on public.{table}": ["own rows"],
    "alter policy {own}_delete on public.{table} to public": ["policies"],
    "alter policy {own}_select on public.{table} using (user_id = auth.uid())": [
        "policies",
        "forged claims",
        "stranger",
    ],
    "create policy open on public.{table} for select using (true)": ["policies", *EVERYBODY_ELSE],
    "create policy open on public.{table} for insert with check (true)": ["policies", *EVERYBODY_ELSE],
    "create policy open on public.{table} for select to pg_monitor using (true)": ["policies"],
    "create policy closed on public.{table} as restrictive using (false)": ["policies", *CROSSINGS],
    "grant truncate on public.{table} to anon": ["rights", "anon"],
    "grant select on public.{table} to anon": ["rights", "anon"],
    "grant select on public.{table} to public": ["rights", "anon"],
    "grant update (user_id) on public.{table} to authenticated": EVERYBODY_ELSE,
    "grant insert (id) on public.{table} to authenticated": ["own rows"],
    "grant references on public.{table} to pg_monitor": ["rights"],
    "grant trigger on public.{table} to authenticated": ["rights"],
    "grant select on public.{table} to authenticated with grant option": ["rights"],
    "revoke delete on public.{table} from authenticated": ["own rows", *EVERYBODY_ELSE],
    "grant execute on function {find} to public": ["functions"],
    "alter function {helper} security definer": ["functions"],
    "alter function {find} security definer": ["functions"],
    "alter function {find} reset search_path": ["functions"],
    "alter function {find} set search_path = public": ["functions"],
    "drop index {index}": ["indexes"],
    "drop trigger {trigger} on public.{table}": ["triggers"],
    "alter table public.{table} disable trigger {trigger}": ["triggers"],
    "alter table public.{table} owner to service_role": ["owners"],
    "alter table behavior.members owner to authenticated": ["owners"],
    "alter table behavior.migrations owner to authenticated": ["owners"],
    "alter function behavior.caller() owner to authenticated": ["owners"],
    "create function public.find_similar_patterns(q text) returns setof public.behavior_patterns language sql"
    " security definer as 'select * from public.behavior_patterns'": ["functions"],
    "create function public.increment_pattern_use_count(a int, b int) returns void language sql as ''": ["functions"],
    "create function public.count_all() returns bigint language sql security definer"
    " as 'select count(*) from public.{table}'": ["functions"],
    "update pg_index set indisvalid = false where indexrelid = '{index}'::regclass": ["indexes valid"],
    "alter table public.{table} add column more text": ["statistics"],
    "create view public.everything as select * from public.{table}": ["views"],
    "create view behavior.everything as select * from public.{table};"
    "create view behavior.more as select * from behavior.everything;"
    "grant select on behavior.more to authenticated": ["views"],
    "create materialized view public.everything as select * from public.{table}": ["views"],
    "alter role authenticated bypassrls": ["roles", "members", *EVERYBODY_ELSE],
    "alter role behavior_app bypassrls": ["members"],
    "grant service_role to behavior_app": ["members"],
    "alter table public.{table} alter column user_id set statistics 100": ["statistics"],
    "alter role anon superuser": ["roles", "anon"],
    "grant service_role to authenticated": ["roles", "members", "own rows", *EVERYBODY_ELSE],
    "grant postgres to anon": ["roles", "anon"],
    "alter table behavior.members disable row level security": ["members"],
    "grant insert on behavior.members to authenticated": ["members"],
    "create policy open on behavior.members using (true)": ["members"],
    "insert into behavior.members values ('gone', (select id from auth.users limit 1))": ["members"],
    "alter function behavior.caller() security definer": ["functions"],
    "create or replace function behavior.caller() returns uuid language sql stable set search_path = ''"
    " return coalesce((select auth.uid()), (select user_id from behavior.members where login = session_user))": [
        "forged claims",
        "stranger",
    ],
    "grant delete on behavior.migrations to authenticated": ["migrations"],
    "update pg_extension set extversion = '0.7.4' where extname = 'vector'": ["pgvector"],
}
# Ways to tamper with a table that both storages share; the check has the name of what is in it.
SHARED_SABOTAGES: dict[str, list[str]] = {
    "alter table {table} disable row level security": ["{check}", *EVERYBODY_ELSE],
    "alter table {table} no force row level security": ["{check}"],
    "drop policy {own}_select on {table}": ["own rows"],
    "drop policy {own}_insert on {table}": CROSSINGS,
    "drop policy {own}_update on {table}": ["own rows"],
    "drop policy {own}_delete on {table}": ["own rows"],
    "alter policy {own}_delete on {table} to public": ["{check}"],
    "alter policy {own}_select on {table} using (user_id = auth.uid())": ["{check}", "forged claims", "stranger"],
    "alter policy {own}_update on {table} with check (true)": ["{check}"],
    "create policy open on {table} for select using (true)": ["{check}", *EVERYBODY_ELSE],
    "create policy open on {table} for insert with check (true)": ["{check}", *EVERYBODY_ELSE],
    "create policy open on {table} for update using (true)": ["{check}"],
    "create policy open on {table} for delete to pg_monitor using (true)": ["{check}"],
    "create policy closed on {table} as restrictive using (false)": ["{check}", *CROSSINGS],
    "grant select on {table} to anon": ["{check}"],
    "grant select on {table} to public": ["{check}"],
    "grant select (user_id) on {table} to anon": ["{check}"],
    "grant usage on schema behavior to anon; grant select on {table} to anon": ["{check}", "anon"],
    "grant truncate on {table} to authenticated": ["{check}", "own rows", *EVERYBODY_ELSE],
    "grant references on {table} to pg_monitor": ["{check}"],
    "grant select on {table} to authenticated with grant option": ["{check}"],
    "grant update (user_id) on {table} to authenticated": EVERYBODY_ELSE,
    "grant insert ({fixed}) on {table} to authenticated": ["own rows"],
    "revoke delete on {table} from authenticated": ["own rows", *EVERYBODY_ELSE],
    "alter table {table} alter column user_id set statistics 100": ["{check}"],
    "alter table {table} add column more text": ["{check}"],
    "drop index {index}": ["indexes"],
    "update pg_index set indisvalid = false where indexrelid = '{index}'::regclass": ["{check}"],
    "alter table {table} owner to service_role": ["owners"],
    "create function public.count_all() returns bigint language sql security definer"
    " as 'select count(*) from {table}'": ["functions"],
    "create function public.count_all() returns bigint language sql security definer"
    " begin atomic select count(*) from {table}; end": ["functions"],
    "create view public.everything as select * from {table}": ["{check}"],
    "create role keeper; grant create on schema behavior to keeper; alter table {table} owner to keeper;"
    "grant keeper to authenticated": ["roles", "own rows", *EVERYBODY_ELSE],
}
SHARED: dict[str, dict[str, str]] = {
    "evidence": {
        "table": "behavior.episodes",
        "own": "own_episodes",
        "fixed": "updated_at",
        "index": "behavior.episodes_user_started_idx",
    },
    "remarks": {
        "table": "behavior.remarks",
        "own": "own_remarks",
        "fixed": "id",
        "index": "behavior.remarks_user_pattern_idx",
    },
}
# Ways to tamper with what only one of them has.
EVIDENCE_SABOTAGES: dict[str, list[str]] = {
    "alter table behavior.episodes drop constraint episodes_pkey": ["own rows"],
    "alter table behavior.remarks drop constraint remarks_pkey": ["own rows"],
    "grant update (note) on behavior.remarks to authenticated": ["own rows", *EVERYBODY_ELSE],
    "drop trigger episodes_updated_at on behavior.episodes": ["evidence"],
    "alter table behavior.episodes disable trigger episodes_updated_at": ["evidence"],
    "alter function behavior.turn_of(text, text, text, timestamptz, jsonb, jsonb, text, jsonb) security definer": [
        "functions"
    ],
    "grant execute on function behavior.turn_of(text, text, text, timestamptz, jsonb, jsonb, text, jsonb) to anon": [
        "functions"
    ],
    "alter function behavior.update_episode_timestamp() reset search_path": ["functions"],
}
# Names in the statements above that differ between the storages.
NAMES: dict[Storage, dict[str, str]] = {
    "behavior_patterns": {
        "own": "own_patterns",
        "find": "public.find_similar_patterns",
        "helper": "public.update_behavior_pattern_timestamp",
        "index": "public.behavior_patterns_user_started_idx",
        "trigger": "behavior_patterns_updated_at",
    },
    "memories": {
        "own": "own_memories",
        "find": "behavior.find_similar_workflows",
        "helper": "behavior.python_date",
        "index": "public.memories_workflow_model_idx",
        "trigger": "memories_updated_at",
    },
}


@pytest.mark.parametrize(
    ("storage", "statement"),
    # Statements that do not name a table are the same in both.
    [(storage, each) for storage in STORAGES for each in SABOTAGES if "{" in each or storage == STORAGES[0]],
)
def test_tampering_is_reported(tampered: dict[Storage, psycopg.Connection], storage: Storage, statement: str) -> None:
    """A check that cannot fail is worse than none."""
    owner = tampered[storage]
    owner.execute("begin")
    owner.execute(statement.format(table=storage, **NAMES[storage]).encode())

    assert failures(verify(owner, storage)) == SABOTAGES[statement]


@pytest.mark.parametrize("statement", SHARED_SABOTAGES)
@pytest.mark.parametrize("check", SHARED)
@pytest.mark.parametrize("storage", STORAGES)
def test_tampering_with_a_shared_table_is_reported(
    tampered: dict[Storage, psycopg.Connection], storage: Storage, check: str, statement: str
) -> None:
    """Evidence has every prompt and every call, more than any pattern."""
    owner = tampered[storage]
    owner.execute("begin")
    owner.execute(statement.format(**SHARED[check]).encode())

    assert failures(verify(owner, storage)) == [each.format(check=check) for each in SHARED_SABOTAGES[statement]]


@pytest.mark.parametrize("statement", EVIDENCE_SABOTAGES)
@pytest.mark.parametrize("storage", STORAGES)
def test_tampering_with_the_evidence_is_reported(
    tampered: dict[Storage, psycopg.Connection], storage: Storage, statement: str
) -> None:
    """It has a trigger and functions of its own."""
    owner = tampered[storage]
    owner.execute("begin")
    owner.execute(statement.encode())

    assert failures(verify(owner, storage)) == EVIDENCE_SABOTAGES[statement]


def test_functions_about_other_programs_episodes_are_not_reported(tampered: dict[Storage, psycopg.Connection]) -> None:
    """The word is a common one, and a false alarm would be ignored next time."""
    owner = tampered["behavior_patterns"]
    owner.execute("begin")
    owner.execute(
        "create table public.episodes (id int); create function public.count_all() returns bigint language sql"
        " security definer as 'select count(*) from public.episodes'"
    )

    assert failures(verify(owner)) == []


@pytest.mark.parametrize("check", SHARED)
@pytest.mark.parametrize("storage", STORAGES)
def test_missing_table_is_reported(tampered: dict[Storage, psycopg.Connection], storage: Storage, check: str) -> None:
    """The database may not be migrated yet."""
    owner = tampered[storage]
    owner.execute("begin")
    owner.execute(f"drop table {SHARED[check]['table']} cascade".encode())

    findings = {finding.name: finding for finding in verify(owner, storage)}

    assert findings[check].what == "the table is missing"
    assert findings["own rows"].what.startswith("a user cannot store anything: relation")


def test_additional_function_with_its_owners_rights_is_reported(tampered: dict[Storage, psycopg.Connection]) -> None:
    """Otherwise it would go unnoticed among those of the migrations."""
    owner = tampered["memories"]
    owner.execute("begin")
    owner.execute("create function behavior.more() returns int language sql security definer return 1")

    [finding] = [finding for finding in verify(owner, "memories") if finding.verdict == "failed"]

    assert finding.name == "functions"
    assert finding.what == (
        "behavior.more() runs with its owner's rights; behavior.more() has a search_path that is not empty; "
        "behavior.more() can be called by everybody"
    )


@pytest.mark.parametrize("table", ["public.{}", "behavior.episodes", "behavior.remarks"])
@pytest.mark.parametrize("storage", STORAGES)
def test_every_missing_column_is_reported(
    tampered: dict[Storage, psycopg.Connection], storage: Storage, table: str
) -> None:
    """Without one of them the attempts of a user fail."""
    owner = tampered[storage]
    name = table.format(storage)
    columns = rows(owner, f"select attname from pg_attribute where attrelid = '{name}'::regclass and attnum > 0")
    unreported = []
    for (column,) in columns:
        owner.execute("begin")
        owner.execute(f"alter table {name} drop column {column} cascade".encode())
        if not failures(verify(owner, storage)):
            unreported.append(column)

    assert len(columns) >= 8
    assert unreported == []


def test_missing_unique_key_is_reported(tampered: dict[Storage, psycopg.Connection]) -> None:
    """Saving relies on it, and no migration names it."""
    owner = tampered["behavior_patterns"]
    owner.execute("begin")
    owner.execute("alter table public.behavior_patterns drop constraint behavior_patterns_user_id_source_key_key")

    assert failures(verify(owner)) == ["own rows"]


@pytest.mark.parametrize("storage", STORAGES)
def test_running_the_migrations_again_repairs_our_objects(
    server: Server, owner: psycopg.Connection, storage: Storage
) -> None:
    """The hint of a failed check recommends it."""
    made = dump(server, owner.info.dbname, "--schema-only")
    for statement in (
        "alter table public.{table} disable row level security",
        "alter table public.{table} no force row level security",
        "drop policy {own}_select on public.{table}",
        "alter policy {own}_delete on public.{table} to public",
        "grant truncate on public.{table} to anon",
        "alter function {find} security definer",
        "drop index {index}",
        "drop trigger {trigger} on public.{table}",
        "alter table behavior.episodes disable row level security",
        "drop policy own_episodes_select on behavior.episodes",
        "alter policy own_episodes_update on behavior.episodes using (true)",
        "grant truncate on behavior.episodes to anon",
        "drop index behavior.episodes_user_bits_idx",
        "drop trigger episodes_updated_at on behavior.episodes",
        "drop function behavior.turn_of",
        "alter table behavior.remarks disable row level security",
        "drop policy own_remarks_select on behavior.remarks",
        "alter policy own_remarks_update on behavior.remarks using (true)",
        "grant truncate on behavior.remarks to anon",
        "drop index behavior.remarks_user_session_idx",
    ):
        owner.execute(statement.format(table=storage, **NAMES[storage]).encode())
    tampered = failures(verify(owner, storage))

    for each in migrations(storage):
        owner.execute(each.file.read_bytes())

    assert {"row level security", "policies", "rights", "functions", "indexes", "evidence", "remarks"} <= set(tampered)
    assert failures(verify(owner, storage)) == []
    assert dump(server, owner.info.dbname, "--schema-only") == made


def test_partitions_are_verified_with_the_table(owner: psycopg.Connection) -> None:
    """The fence of the table does not protect a partition that users can reach directly."""
    owner.execute(script("partition", "behavior_patterns"))
    migrate(owner)
    assert failures(verify(owner)) == []

    owner.execute("grant select on behavior.patterns_7 to authenticated")
    assert failures(verify(owner)) == ["rights"]

    owner.execute("create view public.seventh as select * from behavior.patterns_7")
    assert failures(verify(owner)) == ["views", "rights"]


@pytest.mark.parametrize("storage", STORAGES)
def test_checks_go_on_in_a_database_without_our_objects(fresh: psycopg.Connection, storage: Storage) -> None:
    """A missing object must not stop the other checks."""
    failed = failures(verify(fresh, storage))

    assert {"pgvector", "members", "row level security", "indexes", "evidence", "remarks", "crossing"} <= set(failed)


APPLICATION_S_USERS = f"""
create schema auth;
create table auth.users (id uuid primary key, email text not null, number int generated always as identity);
create function auth.uid() returns uuid language sql stable
    as $$ select (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid $$;
grant usage on schema auth to authenticated;
insert into auth.users values ('{A}', 'a@example.org');
"""
SECOND_USER = f"insert into auth.users values ('{B}', 'b@example.org')"


def test_verify_uses_existing_users_of_an_application(server: Server, template: str, fresh: psycopg.Connection) -> None:
    """Only the application knows the columns of a new user, and its triggers."""
    assert template, "it brings the roles, which all databases of a server share"
    fresh.execute(APPLICATION_S_USERS.encode())
    migrate(fresh)
    alone = verify(fresh)
    fresh.execute(SECOND_USER)
    before = dump(server, fresh.info.dbname)

    both = verify(fresh)

    assert alone[-1] == Finding("crossing", "skipped", "auth.users has fewer than two users")
    assert [finding.name for finding in both if finding.verdict == "ok"][-len(CROSSINGS) :] == CROSSINGS
    assert failures([*alone, *both]) == []
    assert dump(server, fresh.info.dbname) == before


@pytest.mark.parametrize(
    ("who", "expected"), [("behavior.caller()", []), ("auth.uid()", ["forged claims", "stranger"])]
)
def test_other_programs_fence_may_differ_but_has_to_hold(
    fresh: psycopg.Connection, who: str, expected: list[str]
) -> None:
    """A fence that believes the claims of a session is good behind an API, and useless for a login."""
    migrate(fresh)
    make_memories(fresh, who=who)
    migrate(fresh, "memories")

    assert failures(verify(fresh, "memories")) == expected


@pytest.mark.parametrize(("attributes", "skipped"), [("nobypassrls", ["anon"]), ("bypassrls", ["anon", "stranger"])])
def test_owner_can_be_a_member_without_superuser(
    server: Server, template: str, fresh: psycopg.Connection, attributes: str, skipped: list[str]
) -> None:
    """The owner of a private server works in it as well; checks that need more rights are reported as skipped."""
    assert template, "it brings the roles, which all databases of a server share"
    login = f"verify_{attributes}"
    make_login(fresh, login, server.password)
    fresh.execute(f"alter role {login} {attributes}".encode())
    fresh.execute(f"grant authenticated to {login}".encode())
    fresh.execute("create schema extensions; create extension vector with schema extensions")
    fresh.execute("grant usage on schema extensions to public")
    fresh.execute(f"alter database {fresh.info.dbname} owner to {login}".encode())

    with psycopg.connect(server.conninfo(login, fresh.info.dbname), autocommit=True) as member:
        migrate(member)
        add_member(member, login, UUID(A))
        findings = verify(member)

        assert failures(findings) == []
        assert [finding.name for finding in findings if finding.verdict == "skipped"] == skipped
        assert ask(member, "select behavior.caller()") == UUID(A)


def test_verify_by_a_member_fails(server: Server, database: str) -> None:
    """Nothing is verified unless it was tried."""
    with psycopg.connect(server.conninfo(LOGIN, database), autocommit=True) as member:
        assert failures(verify(member)) == ["crossing"]


def behavior(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    """Run the command as from a shell."""
    monkeypatch.setattr("sys.argv", ["behavior", *words])
    main()


def test_command_fails_with_the_names_of_failed_checks(
    owner: psycopg.Connection,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Scripts read the exit status, and people the rest."""
    configure(database_url=server.conninfo(dbname=owner.info.dbname))
    behavior(monkeypatch, "db", "verify")
    well = capsys.readouterr()
    owner.execute("alter table public.behavior_patterns no force row level security")

    with pytest.raises(SystemExit) as ended:
        behavior(monkeypatch, "db", "verify", "--json")
    ill = capsys.readouterr()

    assert "ok      row level security" in well.out
    assert (ended.value.code, ill.err.splitlines()[0]) == (1, "behavior: Failed: row level security.")
    assert {"name": "row level security", "verdict": "failed", "what": "it is not forced"} in json.loads(ill.out)


def test_command_reports_a_database_without_migrations(
    server: Server, fresh: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Many failed checks would hide the one thing to do."""
    configure(database_url=server.conninfo(dbname=fresh.info.dbname))

    with pytest.raises(SystemExit):
        behavior(monkeypatch, "db", "verify")

    assert capsys.readouterr().err.splitlines() == [
        "behavior: This database has not been set up.",
        "Run `behavior db migrate`.",
    ]
