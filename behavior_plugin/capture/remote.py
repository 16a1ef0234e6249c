"""Read a repository's remote from git's configuration, without git, and give it one name for all users.

Addresses contain users, passwords and tokens, none of which may be in a stored name. An ambiguous address therefore
gets no name.
"""

import os

CONFIG_LIMIT = 64 * 1024
MAX_ADDRESS_CHARS = 1000
_ESCAPED = {"n": "\n", "t": "\t", "b": "\b"}


def address(config):
    """The address of `origin` in a git configuration, else of the first remote. Included files are not read."""
    if len(config) == CONFIG_LIMIT:  # the last line may be cut off
        config = config.rpartition(b"\n")[0]
    found = {}  # type: dict[str, str]
    remote = None
    for line in _lines(os.fsdecode(config)):
        if line.startswith("["):
            remote = _named_remote(line)
        elif remote and _key(line) == "url":
            found.setdefault(remote, _value(line.partition("=")[2]))
    return found.get("origin") or next(iter(found.values()), "")


def identity(address, folder):
    """`host/path`, without scheme, user, password, port and `.git`, so that it is the same for every user.

    A repository on this machine is its absolute path; a relative one starts from `folder`. None if the address does
    not identify a repository.
    """
    if not 0 < len(address) <= MAX_ADDRESS_CHARS:
        return None
    scheme, is_url, rest = address.partition("://")
    host, colon, path = rest.partition("/") if is_url else address.partition(":")
    is_file = is_url and scheme.lower() == "file"
    is_local = is_file or (not is_url and (not colon or "/" in host))
    if is_local and _may_hold_user((rest if is_url else address).partition(":")[2]):
        return None
    if is_file:
        return without_git(os.path.normpath("/" + path))
    if is_local:
        return without_git(os.path.normpath(os.path.join(folder, address)))
    host = _without_port(host.rpartition("@")[2].lower())
    path = path.partition("?")[0].partition("#")[0].partition(";")[0].strip("/")
    if path.endswith(".git"):
        path = path[: -len(".git")].rstrip("/")
    is_certain = host and path and not _may_hold_user(path) and not path.startswith(":")
    return f"{host}/{path}" if is_certain else None


def without_git(folder):
    """The folder that contains a `.git`; a bare repository is its own folder."""
    return os.path.dirname(folder) if os.path.basename(folder) == ".git" else folder


def _may_hold_user(text):
    """Whether the text before this one may be a user or a password, in a malformed address."""
    return "@" in text or "%40" in text


def _without_port(host):
    """A host without its port; None for any other text, which may be a password with a slash in it."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    name, _, port = host.partition(":")
    return name if not port or port.isdigit() else None


def _key(line):
    return line.partition("=")[0].strip().lower()


def _lines(config):
    """The lines of a configuration; one that ends with a backslash continues in the next."""
    begun = ""
    for line in config.lstrip("\ufeff").split("\n"):
        line = begun + line.rstrip("\r")
        if (len(line) - len(line.rstrip("\\"))) % 2:
            begun = line[:-1]
        else:
            begun = ""
            yield line.strip()


def _named_remote(header):
    """The name in `[remote "name"]`."""
    section, _, rest = header[1:].partition('"')
    name, quote, _ = rest.rpartition('"')
    return _value(name) if quote and section.strip().lower() == "remote" else None


def _value(text):
    """A value as git writes it: without its quotes, escapes and comment."""
    found = []
    is_quoted = False
    letters = iter(text.strip())
    for letter in letters:
        if letter == "\\":
            escaped = next(letters, "")
            found.append(_ESCAPED.get(escaped, escaped))
        elif letter == '"':
            is_quoted = not is_quoted
        elif letter in "#;" and not is_quoted:
            break
        else:
            found.append(letter)
    return "".join(found).strip()
