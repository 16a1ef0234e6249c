"""Match paths against globs, with the meaning that they have in a .gitignore.

`*`, `?` and `[…]` match within one name, `**` any number of names. A glob that matches a folder matches all below it.

The globs may come from a hostile repository. Libraries make one regular expression of a whole glob, which backtracks: a
glob with four stars took one of them more than a minute. Here each name is matched by itself, by `fnmatch`, which does
not backtrack; so the time is at most that of each name of the glob with each name of the path.
"""

import os

MAX_NAMES = 50
ANY = "**"
_MAX_MATCHERS = 5_000
_matchers = {}  # type: dict[str, object]


def parse(line):
    """The names of a glob, in a tuple; empty for a blank line, a comment, or an exception (`!`), which has no meaning.

    As in a .gitignore, a glob without a slash inside matches at any depth.
    """
    text = line.strip()
    if not text or text.startswith(("#", "!")):
        return ()
    names = [name for name in text.split("/") if name not in ("", ".")]
    is_anchored = "/" in text.rstrip("/")
    return tuple(names if is_anchored else [ANY, *names])[:MAX_NAMES]


def is_everything(line):
    """Whether a glob matches every path: `*`, `/`, `**`, `/*` and the like."""
    text = line.strip()
    return bool(text) and not text.strip("/*") and not text.startswith("#")


def matches(glob, path):
    """Whether a parsed glob matches a path, or a folder above it. The path is relative to the glob's own folder."""
    names = _names(path)
    return any(place > 0 for place in _places(glob, names))


def matches_end(glob, name):
    """Whether a glob matches the whole of a project's name, or its last parts."""
    names = _names(name)
    return len(names) in _places((ANY, *parse(f"/{glob}")), names)


def matches_folder(glob, folder):
    """Whether a glob that begins with `/` or `~` matches an absolute path, or a folder above it."""
    written = os.path.expanduser(glob.strip())
    # A folder is known by its real path; a person may write a link.
    return any(matches(parse(each + "/"), folder) for each in {written, os.path.realpath(written)})


def _places(glob, names):
    """The numbers of names that the whole glob can take up, from the first name on."""
    places = {0}
    for part in glob:
        if not places:
            return places
        if part == ANY:
            places = set(range(min(places), len(names) + 1))
        else:
            matcher = _matcher(part)
            places = {place + 1 for place in places if place < len(names) and matcher(names[place])}
    return places


def _names(path):
    return [name for name in path.split("/") if name not in ("", ".")]


def _matcher(part):
    """Matches one name. A backslash takes the meaning from the character after it."""
    if part not in _matchers:
        import re
        from fnmatch import translate

        if len(_matchers) >= _MAX_MATCHERS:
            _matchers.clear()
        _matchers[part] = re.compile(translate(re.sub(r"\\(.)", _literal, part))).match
    return _matchers[part]


def _literal(found):
    return f"[{found[1]}]" if found[1] in "*?[" else found[1]
