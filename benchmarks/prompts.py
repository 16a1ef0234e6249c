"""Prompts for benchmarks: distinct tasks, a rewording of each, and unrelated prompts."""

from __future__ import annotations

from itertools import product

_SYMPTOMS = (
    ("crashes", "falls over"),
    ("is off by one", "gives a number that is one too high"),
    ("is far too slow", "takes much longer than it should"),
    ("leaks memory", "holds more and more memory"),
    ("loses the last line", "drops the line at the end"),
    ("shows the wrong date", "displays a date that is not right"),
    ("times out", "gives no answer in time"),
    ("returns an empty list", "comes back with an empty list"),
    ("ignores the time zone", "takes no account of the time zone"),
    ("writes a broken file", "leaves a file that cannot be read"),
)
_PARTS = (
    "invoice export",
    "login form",
    "search index",
    "nightly backup",
    "payment webhook",
    "image resizer",
    "report generator",
    "message queue consumer",
    "address parser",
    "cache layer",
    "user import",
    "sales dashboard",
    "password reset",
    "PDF renderer",
)
_CONDITIONS = (
    "a name has an umlaut",
    "two users save at once",
    "the file is larger than 2 GB",
    "the clock changes to summer time",
    "the database restarts",
    "the network is slow",
    "the customer has no address",
    "it runs in a container",
    "the list has only one entry",
    "the price is zero",
    "a retry comes late",
    "the disk is full",
    "the page is loaded twice",
    "the currency is not the euro",
    "an order is cancelled",
)
_TASKS = tuple(product(_CONDITIONS, _PARTS, _SYMPTOMS))
_FORMS = ("poem", "riddle", "short story", "song", "limerick", "fable", "letter", "haiku")
_SUBJECTS = ("herring", "lighthouse", "old piano", "mountain goat", "ferry", "snowstorm", "bakery", "chess player")
_MOODS = ("cheerful", "sad", "solemn", "silly", "tender", "boastful", "mysterious")
_UNRELATED = tuple(product(_MOODS, _SUBJECTS, _FORMS))

MAX_TASKS = len(_TASKS)


def task(number: int) -> str:
    condition, part, (symptom, _) = _TASKS[number % MAX_TASKS]
    return f"The {part} {symptom} when {condition}. Find out why and fix it."


def reworded(number: int) -> str:
    condition, part, (_, symptom) = _TASKS[number % MAX_TASKS]
    return f"When {condition}, our {part} {symptom}: find the cause and repair it, please."


def unrelated(number: int) -> str:
    mood, subject, form = _UNRELATED[number % len(_UNRELATED)]
    return f"Write a {mood} {form} about a {subject}, no longer than a page."
