"""Read the gist of a shell command's output: tests passed and failed, the error, the commit.

Precision comes first, since a wrong failure makes good work look bad. Summaries count before single failures, and those
before words such as "build failed". Such words and errors do not count if a later line says that all is well, since
tests print errors too. Nothing is read from a command that only looks.
"""

from __future__ import annotations

import re
from typing import Any

from behavior_plugin.agents.fields import cut_head, cut_tail, get_str, shortened
from behavior_plugin.agents.looking import is_looking
from behavior_plugin.agents.summaries import Summary, read_summary
from behavior_plugin.model import Verdict

SHELLS = frozenset({"Bash", "PowerShell", "shell"})
# Programs sum up at the end; a commit, or that there are no tests, may stand at the beginning. The rest may be long.
MAX_HEAD_CHARS = 1_000
MAX_TAIL_CHARS = 5_000
# Longer lines are data.
MAX_LINE_CHARS = 400
MAX_GIST_CHARS = 300
# A refusal to begin: an error, and how to use the program.
MAX_REFUSAL_CHARS = 800

# Each line with a meaning has one of these, in lower case; few other lines do. Together, or with more and commoner
# first letters, they take twice as long.
_SIGNS = (
    re.compile(
        r"f(?:ail|atal)|p(?:ass|anic|ermission denied)|rr(?:or|[!_])"
        r"|x(?:it(?:ed with| with| status)|ception)|ccee|ccess"
    ),
    re.compile(
        r"\n(?:\[[^\]\n]{1,220} [0-9a-f]{7,40}\] |[^\s:]{1,200}:\d{1,7}:\d{1,7}: |\s{0,8}[×✕✗✘] "
        r"|[^a-z0-9\n]{0,20}+(?:(?:not )?ok\b|no [a-z]|there are no |\d{1,7}(?: [a-z]|\.\.0)"
        r"|(?:found|ran|checked|executed) \d"
        r"|summary: \d|total tests|tests? \d|all |finished |congratulations|collected 0|conflict|would reformat|oh no"
        r"|code style|warn\] code style|thread '|ninja|could not|cannot|unable to)|\?\s.{1,300}\[no test)"
    ),
)
_ABSENCE = re.compile(r"not found|no such")
_TERMINAL_CODE = re.compile(r"\x1b\[[0-?]{0,20}[ -/]?[@-~]|\x1b\][^\x07\x1b]{0,300}(?:\x07|\x1b\\)?")
_DECORATION = re.compile(r"(?:\d\d:\d\d [+~\d -]{1,30}: )?[\s>|│┃✖✗✘×✕❌⨯✓✔√✅!•●*=-]{0,80}")

# All patterns are matched at the beginning of a line.
_COMMIT = re.compile(r"\[(?:detached HEAD|[^\s\[\]:]{1,200})(?: \(root-commit\))? ([0-9a-f]{7,40})\] (\S.*)")
_PLACE = r"(?:[A-Za-z]:)?[^\s:()]{1,200}"
# A test or check that failed.
_FAILURE = re.compile(
    r"--- FAIL: \S|not ok \d{1,7}\b(?!.*# (?:TODO|SKIP))|\(fail\) \S|\s{0,8}[×✕✗✘] \S"
    r"|FAIL {1,2}\S{0,200}\.[a-z]{1,4}(?=\s|$)|(?:FAIL|ERROR): \w{1,200} \(|(?:FAILED|ERROR) \S{1,300}\.\w{1,5}\b"
    rf"|\s{{0,4}}{_PLACE}(?:\(\d{{1,7}},\d{{1,7}}\):|:\d{{1,7}}(?::\d{{1,7}})?(?::| -)?) (?:fatal )?error\b"
    rf"|{_PLACE}:\d{{1,7}}:\d{{1,7}}: (?!\W?(?:warning|note|info|help|hint))\S"
    r"|error(?:\[E\d{1,6}\]| TS\d{1,6}): |test \S{1,200} \.\.\. FAILED$|[^.]{1,150}\.{3,200}Failed$"
)
# A test, or a package of tests, that passed.
_PASS = re.compile(
    r"ok \d{1,7}\b(?!.*# (?:TODO|SKIP))|[^.]{1,150}\.{3,200}Passed$"
    r"|ok\s{1,8}\S{1,300}\s{1,8}(?:\(cached\)|\d[\d.]{0,12}s)(?!.*\[no tests to run\])"
)
_OK = re.compile(r"OK\b")
# From here on in lower case and without decoration: something as a whole went wrong.
_BROKEN = re.compile(
    r"make(?:\[\d{1,3}\])?: \*\*\* |npm (?:err!|error) |elifecycle\b|err_pnpm_|error command failed"
    r"|ninja: build stopped|fail(?:ed)?[.!]?$|fail\t|\[failed\] |result: fail\b|oh no!|would reformat[ :]"
    r"|\d{1,7} files? would be reformatted|(?:\[warn\] )?code style issues? found|failed to compile"
    r"|execution failed for task|(?:some |the )?(?:build|tests?|checks?|test run|lint|linting|compilation|typecheck"
    r"|hook|session|husky - \S{1,40} script) (?:\S{1,80} )?fail(?:ed|ure)\b"
    r"|error: (?:could not compile|test failed|aborting due|build failed)"
)
_EXITED = re.compile(r".{1,300}\b(?:exit(?:ed)?(?: with)?(?: exit)?|terminated with) (?:code|status):? [1-9]\d{0,2}\b")
# All is well.
_CLEAN = re.compile(
    r"all (?:[\w']{1,20} ){0,3}pass(?:ed|ing)?\b|all matched files use|result: pass\b|pass$|congratulations|success! "
    r"|(?:success: )?no (?:[\w-]{1,20} ){0,3}(?:issues?|errors?|problems?|offenses?|violations?)(?: or \w{1,20})?"
    r"(?: were)?(?: found| detected)?\b"
    r"|(?:build|tests?|check|lint) (?:success(?:ful)?|succeeded)\b"
    r"|(?:[\w.-]{1,20} ){0,2}compiled (?:\S{1,20} )?successfully"
    r"|finished .{1,60}\btarget\(s\)|checked \d{1,7} files? in .{1,60}(?:no fixes applied|fixed \d{1,7} files?)"
    r"|\d{1,7} files? (?:would be )?(?:already formatted|left unchanged)"
)
# There was nothing to test.
_NOTHING = re.compile(
    r"(?:[\w-]{1,20}: )?(?:there are )?no (?:matching )?(?:tests?|test\(s\)|examples|specs)"
    r"(?: (?:files?|suites?|modules?|cases?))?(?: (?:is|was|were|are|have been))?"
    r" (?:ran|run|found|to run|executed|collected|discovered|available|match\w{0,9})\b"
    r"|collected 0 items(?! / \d{1,7} err)|\d{1,7} deselected in |1\.\.0\b|result: notests|error: 0 test files match"
    r"|(?:\?|ok)\s.{1,300}\[no tests? (?:files|to run)\]"
)
# Of a command: a filter, which may leave out the tests that ran.
_FILTER = re.compile(r"\|\s{0,9}(?:[ef]?grep|rg|ag|awk|sed|Select-String)\b")
# Case counts again. A message is more than a value, or the line is data or source code.
_MESSAGE = r"(?!\W{0,3}(?:none|null|undefined|nil|true|false|string|\d{1,9})?\W{0,3}$)\S.*[^\s,;{(\[]$"
_ERROR = re.compile(
    r"(?:E\s{1,8}|Uncaught |Caused by: |remote: )?(?:[A-Za-z_$][\w$]{0,60}(?:\.|::|\\)){0,8}"
    r"(?:[A-Z]\w{0,60}?(?:Error|Exception)(?: [\[(]\w{1,40}[\])])?(?:: (?:.*[^\s,;{(\[])?$|$)"
    rf"|(?:Error|Exception): {_MESSAGE})|thread '.{{1,100}}' panicked at |CONFLICT \("
)
# Where they are indented, these are parts of data.
_PLAIN_ERROR = re.compile(
    r"(?:remote: )?(?:error|fatal|panic|ERROR|FATAL|(?:PHP )?Fatal error|error during build)(?::| in)? {1,4}"
    rf"{_MESSAGE}"
)
# They count where no other line names an error.
_WEAK_ERROR = re.compile(
    r"\[ERROR\] \S|[\w./()-]{1,100}:.{1,250}\b(?:not found|No such file or directory|[Pp]ermission denied)\b"
    r"|zsh: command not found: |(?:Failed to|Could not|Cannot|Unable to) \S"
)


def read_verdict(output: str, *, command: str = "") -> Verdict | None:
    """The gist of the output of a shell command; None if it says nothing of how the command went.

    `output` is all that the command printed, or the error that the agent reports. An `error` without counts is no proof
    that the command failed.
    """
    if is_looking(command):
        return None
    text = _ends(output)
    tally = _Tally(is_filtered=_FILTER.search(command) is not None)
    for place, line in enumerate(_lines_with_signs(text)):
        tally.take(place, line)
    return tally.verdict(text)


def call_verdict(tool: str, parameters: dict[str, Any], *outputs: Any) -> Verdict | None:
    """The verdict of a call by the texts of its output; None for a tool that is no shell."""
    if tool not in SHELLS:
        return None
    output = "\n".join(part for part in outputs if isinstance(part, str) and part)
    return read_verdict(output, command=get_str(parameters, "command") or "") if output else None


def _ends(output: str) -> str:
    """The beginning and the end of an output, with the line ends of Unix and without colours."""
    text = output
    if len(text) > MAX_HEAD_CHARS + MAX_TAIL_CHARS:
        text = f"{cut_head(text, MAX_HEAD_CHARS)}\n{cut_tail(text, MAX_TAIL_CHARS)}"
    # A progress bar returns to the beginning of its line.
    text = text.replace("\r", "\n") if "\r" in text else text
    return _TERMINAL_CODE.sub("", text) if "\x1b" in text else text


def _lines_with_signs(text: str) -> list[str]:
    """The lines that may have a meaning: few have one, and looking at each would take ten times as long."""
    # The one letter that gets longer in lower case.
    text = f"\n{text}\n".replace("\u0130", "I")
    lowered = text.lower()
    places = [match.end() for sign in _SIGNS for match in sign.finditer(lowered)]
    if "not found" in lowered or "no such" in lowered:
        places += [match.end() for match in _ABSENCE.finditer(lowered)]
    ends = {text.rfind("\n", 0, place) + 1: text.find("\n", place) for place in places}
    return [text[start : ends[start]].rstrip() for start in sorted(ends) if ends[start] - start <= MAX_LINE_CHARS]


class _Tally:
    """The meanings of the lines so far. Places are numbers of lines, from 0; -1 is nowhere."""

    def __init__(self, *, is_filtered: bool) -> None:
        self._is_filtered = is_filtered
        self._summaries: list[Summary] = []
        self._failures = self._passes = 0
        self._is_ok = self._has_nothing = False
        self._broken_at = self._clean_at = -1
        # Lines that name an error, with their places; and such that count where there is no other.
        self._errors: list[tuple[int, str]] = []
        self._weak_errors: list[tuple[int, str]] = []
        self._commit: str | None = None

    def take(self, place: int, line: str) -> None:
        """Read one line."""
        lowered = line.lower()
        if summary := read_summary(lowered):
            self._summaries.append(summary)
            self._is_ok = self._is_ok or bool(_OK.match(line))
            if summary.failed == 0 or (summary.passed and not summary.failed):
                self._clean_at = place
        elif line.startswith("[") and (commit := _COMMIT.match(line)):
            self._commit = shortened(f"{commit[1]} {commit[2]}", MAX_GIST_CHARS)
        elif _PASS.match(line):
            self._passes, self._clean_at = self._passes + 1, place
        elif _FAILURE.match(line):
            self._failures += 1
            self._errors.append((place, line))
        else:
            self._words(place, line, lowered)

    def _words(self, place: int, line: str, lowered: str) -> None:
        decoration = _DECORATION.match(line)
        start = decoration.end() if decoration else 0
        plain, lowered = line[start:], lowered[start:]
        if _NOTHING.match(lowered):
            self._has_nothing = True
        elif _BROKEN.match(lowered) or ("exit" in lowered and _EXITED.match(lowered)):
            self._broken_at = place
            self._weak_errors.append((place, plain))
        elif _CLEAN.match(lowered):
            self._clean_at = place
        elif _ERROR.match(plain) or _PLAIN_ERROR.match(line):
            self._errors.append((place, plain))
        elif _WEAK_ERROR.match(plain):
            self._weak_errors.append((place, plain))
        elif _OK.match(line):
            self._is_ok = True

    def verdict(self, text: str) -> Verdict | None:
        """The verdict of all lines of a text; None if they have no meaning."""
        counted = [each for each in self._summaries if not (each.is_coarse or each.is_part)]
        counted = counted or [each for each in self._summaries if each.is_part] or self._summaries
        passed, failed, total = (_sum(counted, name) for name in ("passed", "failed", "total"))
        failed = failed or _sum([each for each in self._summaries if each.is_coarse], "failed") or failed
        is_empty = self._has_nothing or (total == 0 and not passed) or (passed == 0 and not total)
        ran_nothing = is_empty and not (self._is_filtered or passed or failed or self._failures or self._passes)
        failed = failed or self._failures or failed
        error = self._last_error(since=-1 if failed else self._clean_at)
        if not failed and not ran_nothing:
            failed = self._failed_as_a_whole(text) or (0 if self._is_clean(failed, total) else None)
        if passed is None:
            passed = max(0, total - failed) if total and failed is not None else self._passes or None
        if passed is None and failed is None and not (ran_nothing or error or self._commit):
            return None
        return Verdict(passed=passed, failed=failed, ran_nothing=ran_nothing, error=error, commit=self._commit)

    def _failed_as_a_whole(self, text: str) -> int:
        """1 if the last word is that something went wrong, or a program printed an error and little else."""
        first = self._errors[0][1] if self._errors and self._clean_at < 0 else ""
        is_refusal = first and len(text) <= MAX_REFUSAL_CHARS and text.lstrip().startswith(first)
        return 1 if self._broken_at > self._clean_at or is_refusal else 0

    def _is_clean(self, failed: int | None, total: int | None) -> bool:
        return failed == 0 or self._clean_at >= 0 or (self._is_ok and bool(total))

    def _last_error(self, *, since: int) -> str | None:
        """The last error after a place."""
        errors = [line for place, line in self._errors if place > since]
        weak_errors = [line for place, line in self._weak_errors if place > since]
        line = errors[-1] if errors else weak_errors[0] if weak_errors else ""
        return shortened(line.strip(), MAX_GIST_CHARS) or None


def _sum(summaries: list[Summary], name: str) -> int | None:
    found = [count for each in summaries if (count := getattr(each, name)) is not None]
    return sum(found) if found else None
