"""One name for one repository, however it is reached, and nothing secret in it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from behavior_plugin.capture import remote

MAIN = "/home/dev/main"


@pytest.mark.parametrize(
    "address",
    [
        "git@github.com:Org/repo.git",
        "github.com:Org/repo",
        "git@github.com:/Org/repo.git/",
        "ssh://git@github.com/Org/repo.git",
        "ssh://git@github.com:22/Org/repo",
        "https://github.com/Org/repo.git",
        "https://GitHub.com:443/Org/repo/",
        "https://user@github.com/Org/repo",
        "https://user:pa55@github.com/Org/repo.git",
        "https://github.com/Org/repo.git?private_token=pa55#pa55",
        "https://github.com/Org/repo.git;token=pa55",
        "git://github.com/Org/repo.git",
        "git+ssh://git@github.com/Org/repo.git",
    ],
)
def test_all_addresses_of_a_repository_have_one_name(address: str) -> None:
    """One clones with a key, another one with a token; it is one project."""
    assert remote.identity(address, MAIN) == "github.com/Org/repo"


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("/srv/repo.git", "/srv/repo.git"),
        ("/srv/repo/.git", "/srv/repo"),
        ("file:///srv/repo/", "/srv/repo"),
        ("file://localhost/srv", "/srv"),
        ("../other", "/home/dev/other"),
        ("./odd:name", "/home/dev/main/odd:name"),
        ("ssh://git@[::1]:2222/x.git", "[::1]/x"),
        ("https://host.example/a/b/c.git", "host.example/a/b/c"),
    ],
)
def test_other_addresses_have_their_names(address: str, name: str) -> None:
    """A folder on this machine, a group of groups, an address in numbers."""
    assert remote.identity(address, MAIN) == name


@pytest.mark.parametrize(
    "address",
    [
        "",
        "https://",
        "https://host.example",
        "https://host.example/.git",
        "host.example:",
        "https://user:pa/55@host.example/x",
        "https://user:12/pa55@host.example/x",
        "user:pa55@host.example:x",
        "ext::sh -c touch% pwn",
        "https//user:pa55@host.example/x",
        "//user:pa55@host.example/x",
        "https//user:pa55%40host.example/x",
        "file://user:pa/55@host.example/x",
        "https://user:1/pa55%40host.example/x",
        "https://host.example/" + "x" * 2000,
    ],
)
def test_an_ambiguous_address_has_no_name(address: str) -> None:
    """Half a password must not be taken for a path."""
    assert remote.identity(address, MAIN) is None


@pytest.mark.parametrize(
    ("config", "address"),
    [
        (b"", ""),
        (b'[remote "a"]\n\turl = first\n[remote "origin"]\n\turl = second\n', "second"),
        (b'[remote "b"]\n\turl = first\n[remote "a"]\n\turl = second\n', "first"),
        (b'[remote "origin"]\n\turl = first\n\turl = push-only\n', "first"),
        (b'\xef\xbb\xbf[REMOTE "origin"]\r\n\tURL=x y\r\n', "x y"),
        (b'[remote "origin"]\nurl = "a;#b" ; why\n', "a;#b"),
        (b'[remote "origin"]\nurl = a\\\\b\\"c # why\n', 'a\\b"c'),
        (b'[remote "origin"]\nurl = one\\\n  two\n', "one  two"),
        (b'[remote "origin"]\nurl = C:\\\\x\\\\\n\tfetch = y\n', "C:\\x\\"),
        (b'# [remote "origin"]\n; url = no\nurl = no\n[branch "x"]\nurl = no\n[remote]\nurl = no\n', ""),
        (b'[remote "origin"]\n[branch "main"]\n\turl = no\n', ""),
        (b'[include]\n\tpath = /dev/zero\n[remote "x\\"y"]\n\turl = z\n', "z"),
        (b"\x00\xff[[[" * 1000, ""),
        (b'[remote "origin"]\nurl', ""),
    ],
)
def test_a_configuration_is_read_as_git_writes_it(config: bytes, address: str) -> None:
    """Other people's files, hand-made ones and hostile ones among them."""
    assert remote.address(config) == address


def test_only_the_beginning_of_a_long_configuration_is_read() -> None:
    """A line that is cut off by the limit means something else."""
    config = b'[remote "origin"]\n' + b"#\n" * (remote.CONFIG_LIMIT // 2)
    config = config[: remote.CONFIG_LIMIT - 10] + b"\nurl = https://host.example/x"

    assert remote.address(config[: remote.CONFIG_LIMIT]) == ""


@pytest.mark.parametrize(
    "address", ["plain", "with space", 'quo"ted', "back\\slash", "# sharp ; semi", "ends\\", "größe"]
)
def test_configurations_written_by_git_are_read(address: str, tmp_path: Path) -> None:
    """git's own hand is the one that counts."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    subprocess.run(["git", "-C", str(tmp_path), "config", "remote.origin.url", address], check=True)

    assert remote.address((tmp_path / ".git" / "config").read_bytes()) == address
