"""The rights of each identity; the tables below define the fence between two users.

Anyone can use another client than ours, so these tests send their statements directly to the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from uuid import UUID

import psycopg
import pytest

from behavior_plugin.config import Storage
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.store.members import make_login
from behavior_plugin.store.migrate import migrate
from behavior_plugin.store.sql_files import STORAGES
from tests.database import INSERT, LOGIN, VECTOR, A, B, ask, insert, made_database, make_user, member, rows

SHARED_TABLES = ("behavior.episodes", "behavior.remarks")
OWNER, MEMBER, STRANGER, OUTSIDER = "postgres", "rights_member", "rights_stranger", "rights_outsider"
# A has one row and B has two; the second of B's is for counting only. The same is so for their evidence.
ROW = {A: "aaaaaaaa-1111-4000-8000-00000000000a", B: "bbbbbbbb-1111-4000-8000-00000000000b"}
UNKNOWN = "cccccccc-1111-4000-8000-00000000000c"
# The vector of the triggers in the evidence; that of the patterns has a similarity of 0.
NEAR = str([1, -1] * 768)


@dataclass(frozen=True)
class Identity:
    """A client: its login, which the server checked, its role, and the claims of its session."""

    login: str
    role: str
    subject: str | None
    # The column of the tables below.
    column: str


# Claims in an owner's session are believed, as behind an API; claims of other logins are not.
IDENTITIES = {
    "A": Identity(OWNER, "authenticated", A, "A"),
    "A's login": Identity(MEMBER, "authenticated", None, "A"),
    "A's login, claiming to be B": Identity(MEMBER, "authenticated", B, "A"),
    "A's login, claiming nonsense": Identity(MEMBER, "authenticated", "nobody", "A"),
    "A's login, in no role": Identity(MEMBER, "none", B, "A"),
    "B": Identity(OWNER, "authenticated", B, "B"),
    "no claims": Identity(OWNER, "authenticated", None, "none"),
    "no member": Identity(STRANGER, "authenticated", None, "none"),
    "no member, claiming to be A": Identity(STRANGER, "authenticated", A, "none"),
    "anon": Identity(OWNER, "anon", None, "anon"),
    "anon, claiming to be A": Identity(OWNER, "anon", A, "anon"),
    "no user's login": Identity(OUTSIDER, "none", A, "anon"),
    "not a UUID": Identity(OWNER, "authenticated", "nobody", "no UUID"),
    "administrator": Identity(OWNER, "service_role", None, "admin"),
}

DENIED = "42501"
NO_UUID = "22P02"
DIMENSIONS = "22000"
# It depends on the plan whether the caller is evaluated at all.
EITHER = frozenset({NO_UUID, 0})
COLUMNS = ("A", "B", "none", "anon", "no UUID", "admin")
# Expected: an SQLSTATE, the number of rows, or the result of the function. For identities that are neither A nor B, A
# is "own" and B is "other".
# fmt: off
VERBS = {
    #                       A       B       none    anon    no UUID  admin
    "select":              (1,      2,      0,      DENIED, NO_UUID, 3),
    "select other's":      (0,      0,      0,      DENIED, NO_UUID, 1),
    "insert own":          (1,      1,      DENIED, DENIED, NO_UUID, 1),
    "insert other's":      (DENIED, DENIED, DENIED, DENIED, NO_UUID, 1),
    "update own":          (1,      1,      0,      DENIED, NO_UUID, 1),
    "update other's":      (0,      0,      0,      DENIED, NO_UUID, 1),
    "update all":          (1,      2,      0,      DENIED, NO_UUID, 3),
    "delete own":          (1,      1,      0,      DENIED, NO_UUID, 1),
    "delete other's":      (0,      0,      0,      DENIED, NO_UUID, 1),
    "delete all":          (1,      2,      0,      DENIED, NO_UUID, 3),
    "give away":           (DENIED, DENIED, DENIED, DENIED, DENIED,  1),
    "truncate":            (DENIED, DENIED, DENIED, DENIED, DENIED,  DENIED),
}
# Evidence and remarks have the same fence in both storages.
SHARED = {f"{verb} {what}": cells for verb, cells in VERBS.items() for what in ("evidence", "remarks")}
# Recall is about a user's patterns, and the administrator is not a user.
FINDINGS = {
    #                       A       B       none    anon    no UUID  admin
    "find":                (1,      2,      0,      DENIED, NO_UUID, 0),
    # The evidence of both users names the pattern of A's row.
    "find by evidence":    (1,      0,      0,      DENIED, NO_UUID, 0),
    "threshold null":      (0,      0,      0,      DENIED, EITHER,  0),
    "threshold negative":  (1,      2,      0,      DENIED, NO_UUID, 0),
    "threshold huge":      (0,      0,      0,      DENIED, NO_UUID, 0),
    "threshold infinite":  (0,      0,      0,      DENIED, NO_UUID, 0),
    "threshold NaN":       (0,      0,      0,      DENIED, EITHER,  0),
    "vector null":         (0,      0,      0,      DENIED, NO_UUID, 0),
    "vector zero":         (0,      0,      0,      DENIED, NO_UUID, 0),
    "both odd":            (0,      0,      0,      DENIED, EITHER,  0),
    "vector of 3":         (DIMENSIONS, DIMENSIONS, 0, DENIED, NO_UUID, 0),
    "model null":          (0,      0,      0,      DENIED, NO_UUID, 0),
    "model unknown":       (0,      0,      0,      DENIED, NO_UUID, 0),
    "count null":          (1,      2,      0,      DENIED, NO_UUID, 0),
    "count negative":      (0,      0,      0,      DENIED, EITHER,  0),
    "count huge":          (1,      2,      0,      DENIED, NO_UUID, 0),
    "project":             (1,      2,      0,      DENIED, NO_UUID, 0),
    "project unknown":     (0,      0,      0,      DENIED, NO_UUID, 0),
}
COUNTS = {
    "count use of own":     (True,  True,   False,  DENIED, NO_UUID, False),
    "count use of other's": (False, False,  False,  DENIED, NO_UUID, False),
    "count use of unknown": (False, False,  False,  DENIED, NO_UUID, False),
    "count use of null":    (False, False,  False,  DENIED, NO_UUID, False),
}
VIEWS = {
    "view":                 (1,     2,      0,      DENIED, NO_UUID, 3),
}
# fmt: on
EXPECTED: dict[Storage, dict[str, tuple[object, ...]]] = {
    "behavior_patterns": {**VERBS, **SHARED, **FINDINGS, **COUNTS},
    "memories": {**VERBS, **SHARED, **FINDINGS, **COUNTS, **VIEWS},
}

INSERT_EPISODE = """
insert into behavior.episodes
       (user_id, source_key, session_id, project, trigger, trigger_embedding, embedding_model, turns, outcome, digest,
        pattern_key, started_at)
values (%(user)s, %(key)s, 'session', 'project', 'Fix the test', %(vector)s, 'model', '[]', 'success',
        '{"job": "check"}', 'a', now())
"""
INSERT_REMARK = "insert into behavior.remarks (user_id, pattern_key, kind) values (%(user)s, %(key)s, 'good')"
INSERTS = {"behavior.episodes": INSERT_EPISODE, "behavior.remarks": INSERT_REMARK}
# A change that a user may make, in both storages.
CHANGE: dict[Storage, str] = {"behavior_patterns": "trigger = 'changed'", "memories": "embedding = null"}
FIND: dict[Storage, str] = {
    "behavior_patterns": "public.find_similar_patterns",
    "memories": "behavior.find_similar_workflows",
}
COUNT_USE: dict[Storage, str] = {
    "behavior_patterns": "public.increment_pattern_use_count",
    "memories": "behavior.count_workflow_use",
}
# The vector, the model, the minimum similarity, the limit and the project.
ODD_ARGUMENTS = {
    "find": "%(vector)s, 'model', 0.9, 50",
    "find by evidence": "%(near)s, 'model', 0.9, 50",
    "threshold null": "%(vector)s, 'model', null, 50",
    "threshold negative": "%(vector)s, 'model', -1e308, 50",
    "threshold huge": "%(vector)s, 'model', 1e308, 50",
    "threshold infinite": "%(vector)s, 'model', 'infinity', 50",
    "threshold NaN": "%(vector)s, 'model', 'NaN', 50",
    "vector null": "null, 'model', 0.9, 50",
    "vector zero": "%(zero)s, 'model', -1, 50",
    "both odd": "%(zero)s, 'model', 'NaN', 50",
    "vector of 3": "'[1, 1, 1]', 'model', 0.9, 50",
    "model null": "%(vector)s, null, 0.9, 50",
    "model unknown": "%(vector)s, 'other', -1, 50",
    "count null": "%(vector)s, 'model', 0.9, null",
    "count negative": "%(vector)s, 'model', 0.9, -1",
    "count huge": "%(vector)s, 'model', 0.9, 2147483647",
    "project": "%(vector)s, 'model', 0.9, 50, 'project'",
    "project unknown": "%(vector)s, 'model', -1, 50, 'other'",
}


def verbs(table: str, key: str, insert: str, change: str) -> dict[str, str]:
    """The attempts at the rows of one table."""
    return {
        "select": f"select count(*) from {table}",
        "select other's": f"select count(*) from {table} where {key} = %(others_row)s",
        "insert own": insert.replace("%(user)s", "%(own)s"),
        "insert other's": insert.replace("%(user)s", "%(other)s"),
        "update own": f"update {table} set {change} where {key} = %(own_row)s",
        "update other's": f"update {table} set {change} where {key} = %(others_row)s",
        "update all": f"update {table} set {change}",
        "delete own": f"delete from {table} where {key} = %(own_row)s",
        "delete other's": f"delete from {table} where {key} = %(others_row)s",
        "delete all": f"delete from {table}",
        "give away": f"update {table} set user_id = %(other)s where {key} = %(own_row)s",
        "truncate": f"truncate {table}",
    }


def attempts(storage: Storage) -> dict[str, str]:
    """The attempts: each returns one value, or the number of affected rows."""
    count_use = f"select {COUNT_USE[storage]}"
    evidence = verbs("behavior.episodes", "source_key", INSERT_EPISODE, "outcome = 'failed'")
    remarks = verbs("behavior.remarks", "pattern_key", INSERT_REMARK, "is_followed = true")
    return {
        **verbs(f"public.{storage}", "id", INSERT[storage], CHANGE[storage]),
        **{f"{name} evidence": attempt for name, attempt in evidence.items()},
        **{f"{name} remarks": attempt for name, attempt in remarks.items()},
        **{name: f"select count(*) from {FIND[storage]}({odd})" for name, odd in ODD_ARGUMENTS.items()},
        "count use of own": f"{count_use}(%(own_row)s)",
        "count use of other's": f"{count_use}(%(others_row)s)",
        "count use of unknown": f"{count_use}('{UNKNOWN}')",
        "count use of null": f"{count_use}(null)",
        "view": "select count(*) from behavior.workflows",
    }


class Everybody:
    """The connections of all identities to one database."""

    def __init__(self, server: Server, dbname: str, storage: Storage, stack: ExitStack) -> None:
        self._attempts = attempts(storage)
        self.connections = {
            login: stack.enter_context(psycopg.connect(server.conninfo(login, dbname), autocommit=True))
            for login in (OWNER, MEMBER, STRANGER, OUTSIDER)
        }

    def attempt(self, name: str, who: Identity, *, keep: bool = False) -> object:
        """Run an attempt; returns a value, a number of rows, or an SQLSTATE. It is rolled back unless `keep` is set."""
        own, other = (B, A) if who.column == "B" else (A, B)
        values = {"own": own, "other": other, "own_row": ROW[own], "others_row": ROW[other]}
        values |= {"key": "new", "vector": VECTOR, "near": NEAR, "zero": str([0] * 1536)}
        connection = self.connections[who.login]
        try:
            with acting_as(connection, who, keep=keep):
                done = connection.execute(self._attempts[name].encode(), values)
                [answer] = (done.fetchone() or ()) if done.description else (done.rowcount,)
                return answer
        except psycopg.Error as error:
            return error.sqlstate


@contextmanager
def acting_as(connection: psycopg.Connection, who: Identity, *, keep: bool = True) -> Iterator[None]:
    """Act as an identity for one transaction, set by an API or by the session itself."""
    claims = "" if who.subject is None else f'{{"sub": "{who.subject}"}}'
    with connection.transaction(force_rollback=not keep):
        connection.execute(
            "select set_config('request.jwt.claims', %s, true), set_config('role', %s, true)", [claims, who.role]
        )
        yield


def fill(server: Server, dbname: str, storage: Storage) -> None:
    """A user with one row and a login, a user with two rows, and two logins without a user."""
    source_key = "source_key" if storage == "behavior_patterns" else "metadata ->> 'source_key'"
    with psycopg.connect(server.conninfo(dbname=dbname), autocommit=True) as owner:
        for user, keys in ((A, "a"), (B, "bc")):
            make_user(owner, user)
            for key in keys:
                insert(owner, user, key, storage)
            owner.execute(f"update public.{storage} set id = %s where {source_key} = %s".encode(), [ROW[user], keys[0]])
            for key in (ROW[user], *keys[1:]):
                owner.execute(INSERT_EPISODE, {"user": user, "key": key, "vector": NEAR})
                owner.execute(INSERT_REMARK, {"user": user, "key": key})
        member(owner, server, MEMBER, UUID(A))
        for login in (STRANGER, OUTSIDER):
            make_login(owner, login, server.password)
        owner.execute(f"grant authenticated to {STRANGER}".encode())


@pytest.fixture
def filled(server: Server, database: str, owner: psycopg.Connection, storage: Storage) -> psycopg.Connection:
    """The owner's connection to a database of two users."""
    fill(server, database, storage)
    return owner


@pytest.fixture(scope="module")
def everybody(server: Server, templates: Callable[[Storage], str]) -> Iterator[dict[Storage, Everybody]]:
    """One database for each storage, in which every attempt is rolled back."""
    with ExitStack() as stack:
        found = {}
        for storage in STORAGES:
            name = stack.enter_context(made_database(server, f"fenced_{storage}", template=templates(storage)))
            fill(server, name, storage)
            found[storage] = Everybody(server, name, storage, stack)
        yield found


@pytest.mark.parametrize("identity", IDENTITIES)
@pytest.mark.parametrize("storage", STORAGES)
def test_each_identity_has_exactly_the_rights_in_the_table(
    everybody: dict[Storage, Everybody], storage: Storage, identity: str
) -> None:
    """Each cell is one attempt in its own transaction; they share a test because there are so many."""
    who = IDENTITIES[identity]
    expected = {attempt: cells[COLUMNS.index(who.column)] for attempt, cells in EXPECTED[storage].items()}

    answers = {attempt: everybody[storage].attempt(attempt, who) for attempt in expected}

    assert {
        attempt: EITHER if expected[attempt] is EITHER and answer in EITHER else answer
        for attempt, answer in answers.items()
    } == expected


@pytest.mark.parametrize("storage", STORAGES)
def test_attempts_of_others_leave_a_users_rows_unchanged(
    server: Server, database: str, filled: psycopg.Connection, storage: Storage
) -> None:
    """An attempt that returns an error or nothing may still have written."""
    others = [who for who in IDENTITIES.values() if who.column not in ("A", "admin")]
    everything = f"""
        select to_jsonb(each) from public.{storage} each where user_id = '{A}'
        union all
        select to_jsonb(each) from behavior.episodes each where user_id = '{A}'
        union all
        select to_jsonb(each) from behavior.remarks each where user_id = '{A}'
    """
    before = rows(filled, everything)

    with ExitStack() as stack:
        everybody = Everybody(server, database, storage, stack)
        for who in others:
            for attempt in EXPECTED[storage]:
                everybody.attempt(attempt, who, keep=True)

    assert len(before) == 3
    assert rows(filled, everything) == before


# The columns that users may set, of a new row and of an existing one; all others are the server's.
WRITABLE: dict[str, tuple[set[str], set[str]]] = {
    "public.behavior_patterns": (
        {
            *("user_id", "source_key", "session_id", "project", "trigger", "trigger_embedding", "embedding_model"),
            *("context", "actions", "final_outcome", "confidence", "provenance", "schema_version", "started_at"),
            *("workflow", "use_count", "last_used_at"),
        },
        {
            *("session_id", "project", "trigger", "trigger_embedding", "embedding_model", "context", "actions"),
            *("final_outcome", "confidence", "provenance", "schema_version", "started_at", "workflow", "use_count"),
            "last_used_at",
        },
    ),
    "public.memories": (
        {"user_id", "type", "content", "metadata", "embedding"},
        {"content", "metadata", "embedding"},
    ),
    "behavior.episodes": (
        {
            *("user_id", "source_key", "part_of", "session_id", "project", "trigger", "trigger_embedding"),
            *("embedding_model", "turns", "outcome", "because", "digest", "pattern_key", "is_folded", "turn_starts"),
            *("use_count", "last_used_at", "schema_version", "redaction_version", "started_at", "created_at"),
        },
        {
            *("part_of", "project", "trigger", "trigger_embedding", "embedding_model", "turns", "outcome", "because"),
            *("digest", "pattern_key", "is_folded", "turn_starts", "use_count", "last_used_at", "schema_version"),
            *("redaction_version", "started_at"),
        },
    ),
    "behavior.remarks": (
        {
            *("user_id", "pattern_key", "kind", "session_id", "is_followed", "outcome", "note", "details"),
            *("redaction_version", "made_at"),
        },
        {"is_followed", "outcome", "redaction_version"},
    ),
}
COLUMNS_OF = """
select attname from pg_attribute
 where attrelid = %s::regclass and attnum > 0 and attgenerated = '' and not attisdropped
"""


@pytest.mark.parametrize(
    ("storage", "table"),
    [(storage, table) for storage in STORAGES for table in (f"public.{storage}", *SHARED_TABLES)],
)
def test_users_set_exactly_the_columns_in_the_table(
    everybody: dict[Storage, Everybody], storage: Storage, table: str
) -> None:
    """Ids, owners and dates are the server's. A refused column is refused before its value is looked at."""
    owner, member = everybody[storage].connections[OWNER], everybody[storage].connections[MEMBER]
    columns = [column for (column,) in owner.execute(COLUMNS_OF, [table])]

    inserted = {each for each in columns if _is_permitted(member, f"insert into {table} ({each}) values (default)")}
    updated = {each for each in columns if _is_permitted(member, f"update {table} set {each} = {each}")}

    assert (inserted, updated) == WRITABLE[table]


def _is_permitted(member: psycopg.Connection, statement: str) -> bool:
    """Whether a user may run a statement on a table, whatever else is wrong with it."""
    try:
        with member.transaction(force_rollback=True):
            member.execute(statement.encode())
    except psycopg.errors.InsufficientPrivilege as error:
        return "permission denied" not in str(error)
    except psycopg.Error:
        return True
    return True


# Changes that every user is refused.
DECIDED: dict[Storage, list[str]] = {
    "behavior_patterns": [f"update public.behavior_patterns set user_id = '{B}'"],
    "memories": [
        f"update public.memories set user_id = '{B}'",
        "create or replace view behavior.workflows as select 1",
    ],
}
OF_SHARED = [
    statement.format(table=table)
    for table in SHARED_TABLES
    for statement in (
        f"update {{table}} set user_id = '{B}'",
        "truncate {table}",
        "alter table {table} disable row level security",
        "alter table {table} no force row level security",
        "create policy everything on {table} using (true)",
        "create trigger mine before update on {table} execute function suppress_redundant_updates_trigger()",
        "create rule mine as on insert to {table} do instead nothing",
        "copy {table} to program 'true'",
        "drop table {table} cascade",
    )
]
# Attempts to remove the fence.
FENCE = [
    "alter table public.{table} disable row level security",
    "alter table public.{table} no force row level security",
    "create policy everything on public.{table} using (true)",
    "create trigger mine before update on public.{table} execute function suppress_redundant_updates_trigger()",
    "create rule mine as on insert to public.{table} do instead nothing",
    "comment on table public.{table} is 'mine'",
    "copy public.{table} to program 'true'",
    "copy public.{table} to '/tmp/stolen'",
    "create table behavior.mine ()",
    "create or replace function behavior.caller() returns uuid language sql return null",
    "alter role current_user bypassrls",
    "grant service_role to current_user",
    "set session authorization postgres",
    "set role postgres",
    "set role service_role",
    "select * from auth.users",
    "insert into behavior.migrations (version, name) values (9999, 'x')",
    "delete from behavior.migrations",
    f"insert into behavior.members (login, user_id) values ('mine', '{B}')",
    f"update behavior.members set user_id = '{B}'",
    "delete from behavior.members",
    "truncate behavior.members",
]


@pytest.mark.parametrize(
    ("storage", "statement"),
    [(storage, statement) for storage in STORAGES for statement in [*DECIDED[storage], *OF_SHARED, *FENCE]],
)
def test_users_cannot_change_owners_and_the_fence(
    everybody: dict[Storage, Everybody], storage: Storage, statement: str
) -> None:
    """The owners of rows and the fence itself are the server's."""
    member = everybody[storage].connections[MEMBER]

    with pytest.raises(psycopg.errors.InsufficientPrivilege), member.transaction(force_rollback=True):
        member.execute(statement.replace("{table}", storage).encode())


@pytest.mark.parametrize("login", [MEMBER, LOGIN])
def test_our_logins_have_only_a_users_rights(everybody: dict[Storage, Everybody], login: str) -> None:
    """Any program may run with the login of the worker or of a member."""
    owner = everybody["behavior_patterns"].connections[OWNER]
    powers = ("rolsuper", "rolbypassrls", "rolcreaterole", "rolcreatedb", "rolreplication")
    may = f"select array[{', '.join(powers)}] from pg_roles where rolname = %s"
    becomes = "select array(select rolname::text from pg_roles where pg_has_role(%s, oid, 'member') order by 1)"

    assert ask(owner, may, [login]) == [False] * len(powers)
    assert ask(owner, becomes, [login]) == sorted(["authenticated", login])


@pytest.mark.parametrize("table", ["public.{}", *SHARED_TABLES])
@pytest.mark.parametrize("storage", STORAGES)
def test_leaking_condition_sees_only_own_rows(
    everybody: dict[Storage, Everybody], storage: Storage, table: str
) -> None:
    """A caller's condition can do anything with a row, so the policy has to be evaluated first."""
    member = everybody[storage].connections[MEMBER]
    messages: list[str | None] = []
    member.add_notice_handler(lambda diagnostic: messages.append(diagnostic.message_primary))

    with member.transaction(force_rollback=True):
        member.execute(
            """create function pg_temp.tell(owner uuid) returns boolean language plpgsql cost 0.0000001
                   as $$ begin raise notice '%', owner; return true; end $$"""
        )
        member.execute(f"select from {table.format(storage)} where pg_temp.tell(user_id)".encode())

    assert messages == [A]


# The text that a user might want to guess.
TEXTS = {
    "public.behavior_patterns": "trigger",
    "public.memories": "content",
    "behavior.episodes": "trigger",
    "behavior.remarks": "pattern_key",
}


@pytest.mark.parametrize("table", TEXTS)
def test_planner_estimates_reveal_nothing_about_others(
    table: str, server: Server, templates: Callable[[Storage], str]
) -> None:
    """Estimates of matching rows would allow guessing other users' prompts letter by letter."""
    storage: Storage = "memories" if table == "public.memories" else "behavior_patterns"
    with (
        made_database(server, "estimates", template=templates(storage)) as name,
        psycopg.connect(server.conninfo(dbname=name), autocommit=True) as owner,
    ):
        make_user(owner, A)
        for number in range(200):
            insert(owner, A, f"key-{number}", storage)
            for statement in INSERTS.values():
                owner.execute(statement.encode(), {"user": A, "key": f"key-{number}", "vector": VECTOR})
        member(owner, server, MEMBER)
        owner.execute("analyze")
        with psycopg.connect(server.conninfo(MEMBER, name), autocommit=True) as asker:
            known = ask(owner, f"select {TEXTS[table]} from {table} limit 1")
            guesses = [f"{TEXTS[table]} = %s", f"{TEXTS[table]} < %s"]
            by_guess = {guess: {expected(asker, table, guess, text) for text in (known, "!", "~")} for guess in guesses}
            users = {expected(asker, table, "user_id = %s", user) for user in (A, B)}

    assert all(len(estimates) == 1 for estimates in by_guess.values())
    assert len(users) == 1


def expected(asker: psycopg.Connection, table: str, condition: str, value: str) -> int:
    """The number of rows that the planner expects."""
    [plan] = ask(asker, f"explain (format json) select from {table} where {condition}", [value])
    return int(plan["Plan"]["Plan Rows"])


# All our objects, and the rights on them.
RIGHTS = """
select oid::regclass::text, '', grantee::regrole::text, privilege_type
  from pg_class, aclexplode(relacl) where relnamespace in ('public'::regnamespace, 'behavior'::regnamespace)
union all
select attrelid::regclass::text, attname, grantee::regrole::text, privilege_type
  from pg_class join pg_attribute on attrelid = pg_class.oid, aclexplode(attacl)
 where relnamespace in ('public'::regnamespace, 'behavior'::regnamespace)
union all
select oid::regprocedure::text, '', grantee::regrole::text, privilege_type
  from pg_proc, aclexplode(proacl) where pronamespace in ('public'::regnamespace, 'behavior'::regnamespace)
   -- What everybody may call anyway cannot be opened further.
   and not exists (select from aclexplode(coalesce(proacl, acldefault('f', proowner))) may where may.grantee = 0)
 order by 1, 2, 3, 4
"""


@pytest.mark.parametrize("storage", STORAGES)
def test_default_privileges_do_not_widen_our_rights(
    owner: psycopg.Connection, fresh: psycopg.Connection, storage: Storage
) -> None:
    """Supabase's projects grant each new table and function to all roles, and no policy stops truncate."""
    for kind in ("tables", "functions", "sequences"):
        everyone = "anon, authenticated, service_role"
        fresh.execute(f"alter default privileges grant all on {kind} to {everyone}".encode())

    migrate(fresh, storage)

    assert rows(fresh, RIGHTS) == rows(owner, RIGHTS)


@pytest.mark.parametrize("table", ["public.{}", *SHARED_TABLES])
@pytest.mark.parametrize("storage", STORAGES)
def test_row_level_security_applies_to_the_owner(filled: psycopg.Connection, storage: Storage, table: str) -> None:
    """A program that connects as the table's owner by mistake must see nothing."""
    name = table.format(storage)
    with filled.transaction(force_rollback=True):
        filled.execute("create role table_owner nologin nosuperuser nobypassrls")
        filled.execute("grant create, usage on schema public, behavior to table_owner")
        filled.execute("grant usage on schema auth to table_owner")
        filled.execute(f"alter table {name} owner to table_owner".encode())
        filled.execute("set local role table_owner")
        filled.execute("select set_config('request.jwt.claims', %s, true)", [f'{{"sub": "{A}"}}'])

        seen = ask(filled, f"select count(*) from {name}")
        deleted = filled.execute(f"delete from {name}".encode()).rowcount
        statement = INSERTS.get(name, INSERT[storage])
        with pytest.raises(psycopg.errors.InsufficientPrivilege), filled.transaction():
            filled.execute(statement.encode(), {"user": A, "key": "new", "vector": VECTOR})

    assert (seen, deleted) == (0, 0)


@pytest.mark.parametrize("storage", STORAGES)
def test_every_table_has_row_level_security(owner: psycopg.Connection, storage: Storage) -> None:
    """By default a table of a later migration is open."""
    tables = rows(
        owner,
        """select relname, relrowsecurity, relforcerowsecurity from pg_class
            where relkind in ('r', 'p', 'm') and (relnamespace = 'public'::regnamespace
                                                  or has_any_column_privilege('authenticated', oid, 'insert'))
            order by relname""",
    )

    assert tables == sorted((name, True, True) for name in (storage, "episodes", "remarks"))


@pytest.mark.parametrize("storage", STORAGES)
def test_functions_are_security_invoker_with_an_empty_search_path(owner: psycopg.Connection, storage: Storage) -> None:
    """With the owner's rights, or the caller's path, each of them would be a way around the fence."""
    functions = rows(
        owner,
        """select proname, prosecdef, proconfig[1],
                  has_function_privilege('anon', oid, 'execute') and has_schema_privilege('anon', pronamespace, 'usage')
             from pg_proc
            where pronamespace in ('public'::regnamespace, 'behavior'::regnamespace)""",
    )

    assert len(functions) > 1
    assert [each for each in functions if each[1:] != (False, 'search_path=""', False)] == []


@pytest.mark.parametrize("storage", STORAGES)
def test_callers_operators_and_tables_have_no_effect(filled: psycopg.Connection, storage: Storage) -> None:
    """With their own schema first, callers could make the first draft's functions run anything."""
    filled.execute("create schema planted authorization authenticated")
    filled.execute("set search_path = pg_temp, planted, extensions, public")

    with acting_as(filled, IDENTITIES["A"]):
        filled.execute(f"create temp table {storage} (like public.{storage})".encode())
        filled.execute(f"create table planted.{storage} (like public.{storage})".encode())
        filled.execute(
            """create function planted.distance(vector, vector) returns float8 language plpgsql
                   as $$ begin raise exception 'the planted operator was called'; end $$"""
        )
        filled.execute("create operator planted.<=> (function = planted.distance, leftarg = vector, rightarg = vector)")
        with pytest.raises(psycopg.errors.RaiseException), filled.transaction():
            filled.execute("select %s::vector <=> %s::vector", [VECTOR, VECTOR])

        found = ask(filled, attempts(storage)["find"], {"vector": VECTOR})
        counted = ask(filled, attempts(storage)["count use of own"], {"own_row": ROW[A]})

    assert (found, counted) == (1, True)
