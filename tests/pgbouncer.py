"""A real pgbouncer in front of the embedded server: many clients, few server sessions, optional TLS.

It runs as the server's account: only that account may enter the folder of the server's socket, and pgbouncer refuses
root just as Postgres does.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlencode

import psycopg
import pytest
import trustme
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from behavior_plugin.store.embedded import cluster
from behavior_plugin.store.embedded.account import Account
from behavior_plugin.store.embedded.server import Server
from tests.waiting import wait_for

ADDRESS = "127.0.0.1"
# Another process may take a free port before we use it.
TRIES = 5
ADMIN = "admin_of_the_pooler"


@dataclass(frozen=True)
class Pooler:
    """A pooler's address, and the passwords of its clients."""

    port: int
    passwords: Mapping[str, str] = field(repr=False)

    def conninfo(self, login: str, dbname: str) -> str:
        password = self.passwords[login]
        return make_conninfo(hostaddr=ADDRESS, port=self.port, user=login, password=password, dbname=dbname)

    def url(self, login: str, dbname: str, *, host: str = "localhost", **options: str) -> str:
        """The value for database_url; the host name is only compared, never resolved."""
        who = f"{quote(login, safe='')}:{quote(self.passwords[login], safe='')}"
        return f"postgresql://{who}@{host}:{self.port}/{dbname}?{urlencode({'hostaddr': ADDRESS, **options})}"


@contextmanager
def pooled(
    server: Server,
    passwords: Mapping[str, str],
    *,
    sessions: int = 2,
    tls: trustme.LeafCert | None = None,
    aliases: Mapping[str, Mapping[str, str]] | None = None,
    **settings: object,
) -> Iterator[Pooler]:
    """Run a pooler with so many `sessions` at the server for each login and database; it ends with the block.

    With `tls` it refuses connections without. `aliases` are other names for databases, with the values that the server
    gets instead: {alias: {"dbname": ..., "user": ..., "password": ...}}. The calling test is skipped if pgbouncer is
    not installed.
    """
    program, account = _program_or_skip(), server.account
    admin = {ADMIN: secrets.token_urlsafe()}
    with _folder_for(account) as folder:
        _write_for(account, folder / "users", _users({**passwords, **admin}))
        if tls:
            chain = b"".join(certificate.bytes() for certificate in tls.cert_chain_pems)
            _write_for(account, folder / "certificates.pem", chain)
            _write_for(account, folder / "key.pem", tls.private_key_pem.bytes())
        ways = {"*": {}, **(aliases or {})}
        chosen = {**_settings(folder, is_tls=tls is not None), "default_pool_size": sessions, **settings}
        for _ in range(TRIES):
            port = _free_port()
            text = _configuration(server, ways, {**chosen, "listen_port": port})
            _write_for(account, folder / "pgbouncer.ini", text.encode())
            with _running(account.command(program, str(folder / "pgbouncer.ini")), folder / "log") as process:
                if _answers(process, Pooler(port, admin)):
                    yield Pooler(port, passwords)
                    return
        pytest.fail(f"pgbouncer does not start: {(folder / 'log').read_text(encoding='utf-8', errors='replace')}")


def _program_or_skip() -> str:
    found = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin")
    if found:
        return found
    reason = "pgbouncer is not installed (Debian, Ubuntu: apt-get install pgbouncer; macOS: brew install pgbouncer)"
    if os.environ.get("BEHAVIOR_REQUIRE_CLIENT") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def _folder_for(account: Account) -> Iterator[Path]:
    """A folder in the account's place, where it can read its own files; it has no access to ours."""
    with tempfile.TemporaryDirectory(prefix="pgbouncer-", dir=account.place) as name:
        Path(name).chmod(0o755)
        yield Path(name)


def _write_for(account: Account, file: Path, content: bytes) -> None:
    """Write a file that only the account can read, replacing that of an earlier attempt."""
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as new:
        new.write(content)
    account.chown(file)


def _users(passwords: Mapping[str, str]) -> bytes:
    """The plain passwords: with a verifier a pooler could check clients, but not log in to the server."""
    lines = [" ".join(f'"{word.replace(chr(34), chr(34) * 2)}"' for word in pair) for pair in passwords.items()]
    return "\n".join([*lines, ""]).encode()


def _settings(folder: Path, *, is_tls: bool) -> dict[str, object]:
    plain: dict[str, object] = {
        "listen_addr": ADDRESS,
        # No socket file in /tmp, and no second address to listen on, so that a taken port is fatal.
        "unix_socket_dir": "",
        "auth_type": "scram-sha-256",
        "auth_file": folder / "users",
        "admin_users": ADMIN,
        "pool_mode": "transaction",
    }
    files = {"client_tls_cert_file": folder / "certificates.pem", "client_tls_key_file": folder / "key.pem"}
    return {**plain, "client_tls_sslmode": "require", **files} if is_tls else plain


def _configuration(server: Server, ways: Mapping[str, Mapping[str, str]], settings: Mapping[str, object]) -> str:
    place = conninfo_to_dict(server.conninfo())
    to = {"host": str(place["host"]), "port": str(place["port"])}
    databases = [
        " ".join([f"{name} =", *(f"{key}='{value.replace(chr(39), chr(39) * 2)}'" for key, value in way.items())])
        for name, way in ((name, {**to, **way}) for name, way in ways.items())
    ]
    values = [f"{name} = {value}" for name, value in settings.items()]
    return "\n".join(["[databases]", *databases, "[pgbouncer]", *values, ""])


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind((ADDRESS, 0))
        return int(asked.getsockname()[1])


@contextmanager
def _running(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with cluster.open_log(log) as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=cluster.environment(), cwd="/"
        )
    try:
        yield process
    finally:
        process.kill()  # it saves nothing, and its reaction to milder signals differs between versions
        process.wait()


def _answers(process: subprocess.Popen[bytes], admin: Pooler) -> bool:
    """Wait until its administrator, which no other server has, can log in; False if it ended instead."""

    def lets_in() -> bool:
        with suppress(psycopg.OperationalError):
            psycopg.connect(admin.conninfo(ADMIN, "pgbouncer"), sslmode="prefer", connect_timeout=5).close()
            return True
        return False

    wait_for(lambda: process.poll() is not None or lets_in(), "pgbouncer starts or ends")
    return process.poll() is None
