"""text-embedding-3-small of OpenAI, or of any service with its protocol (OPENAI_BASE_URL).

Every answer is checked: a NaN or zero vector would match everything. No error quotes the service, which repeats parts
of a refused key.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from behavior_plugin.embed import DIMENSIONS
from behavior_plugin.embed.extra import OPENAI, install_command
from behavior_plugin.errors import EmbedderUnavailableError, EmbedError

if TYPE_CHECKING:
    import openai

TEXTS_A_REQUEST = 64
# Retries of a failed request, with growing delays.
RETRIES = 2
# The model takes 8,192 tokens; ordinary text has about four characters to the token, code two.
HEAD_CHARACTERS = 8_000


class RemoteEmbedder:
    """The embedder behind OPENAI_API_KEY; see `embed.Embedder`.

    `timeout_s` bounds the waits of one try.

    Raises:
        EmbedError: there is no usable key, or the extra is not installed.
    """

    model = "text-embedding-3-small"
    numbers = DIMENSIONS
    unrelated = 0.0

    def __init__(self, *, timeout_s: float = 10) -> None:
        try:
            # Costs 0.4 s to import, and most users never choose it.
            import openai
        except ImportError as error:
            hint = f"Install it, then run `behavior worker stop`: {install_command(OPENAI)}"
            raise EmbedError("The package of OpenAI is not installed.", hint=hint) from error
        self._client = openai.OpenAI(
            api_key=_key(),
            timeout=timeout_s,
            max_retries=RETRIES,
            # A redirect would carry the user's text to wherever it points.
            http_client=openai.DefaultHttpxClient(follow_redirects=False, timeout=timeout_s),
        )

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        if not all(text.strip() for text in texts):
            raise EmbedError("The text is empty.", hint="Nothing to do: there is nothing to find it by.")
        heads = [text[:HEAD_CHARACTERS] for text in texts]
        batches = [heads[start : start + TEXTS_A_REQUEST] for start in range(0, len(heads), TEXTS_A_REQUEST)]
        return [vector for batch in batches for vector in self._embed_batch(batch)]

    def can_read(self, text: str) -> bool:  # noqa: ARG002 - as the protocol has it
        """The model reads all widespread languages."""
        return True

    def _embed_batch(self, texts: list[str]) -> list[list[float]]:
        try:
            answer = self._ask(texts)
            return _vectors(answer, count=len(texts))
        # The body is not JSON, or has another shape; its text is not ours to print.
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            host = self._client.base_url.host
            raise EmbedderUnavailableError(f"{host} did not answer with usable vectors.", hint=WRONG_SERVICE) from None

    def _ask(self, texts: list[str]) -> Any:
        import openai  # loaded already by the constructor

        try:
            response = self._client.embeddings.with_raw_response.create(
                model=self.model, input=texts, dimensions=DIMENSIONS, encoding_format="float"
            )
        except openai.OpenAIError as error:
            raise _translate_error(error, host=self._client.base_url.host) from None
        return json.loads(response.content)


NO_KEY = (
    'Write OPENAI_API_KEY = "…" below a line [environment] at the end of config.toml in the data folder, or write '
    'embedder = "offline" there.'
)
WRONG_SERVICE = "Check OPENAI_BASE_URL in config.toml, and whether a network's login page stands in between."


def _key() -> str:
    key = os.environ.get("OPENAI_API_KEY", "").strip()
    if not key:
        raise EmbedError("There is no OpenAI key.", hint=NO_KEY)
    # Such a key cannot be sent as a header, and the library's error would quote it.
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise EmbedError("OPENAI_API_KEY has spaces or special characters.", hint="Copy it into config.toml again.")
    return key


def _translate_error(error: openai.OpenAIError, *, host: str) -> EmbedError:
    import openai  # loaded already by the constructor

    match error:
        case openai.AuthenticationError() | openai.PermissionDeniedError():
            return EmbedderUnavailableError(
                f"{host} does not accept the key.", hint="Check OPENAI_API_KEY in config.toml."
            )
        case openai.RateLimitError():
            return EmbedderUnavailableError(f"{host} takes no more requests now.", hint="Wait, or check your credit.")
        case openai.APIConnectionError():
            return EmbedderUnavailableError(
                f"{host} cannot be reached.", hint="Check the network, and OPENAI_BASE_URL in config.toml."
            )
        case openai.BadRequestError() | openai.UnprocessableEntityError():  # it may be the text
            return EmbedError(f"{host} answered with status {error.status_code}.", hint=WRONG_SERVICE)
        case openai.APIStatusError():
            return EmbedderUnavailableError(f"{host} answered with status {error.status_code}.", hint=WRONG_SERVICE)
    return EmbedderUnavailableError(f"The request to {host} failed: {type(error).__name__}.")


def _vectors(answer: Any, *, count: int) -> list[list[float]]:
    """The vectors of an answer, in the order of the request.

    Raises:
        ValueError: one is missing, doubled, of another length, not finite, or zero; also TypeError, KeyError
            and OverflowError, where the answer has another shape.
    """
    by_index = {item["index"]: item["embedding"] for item in answer["data"]}
    if len(answer["data"]) != count or set(by_index) != set(range(count)):
        raise ValueError("not one vector for each text")
    return [_unit_vector(by_index[index]) for index in range(count)]


def _unit_vector(numbers: list[float]) -> list[float]:
    norm = math.hypot(*numbers)
    if len(numbers) != DIMENSIONS or not math.isfinite(norm) or norm < 1e-6:
        raise ValueError("not a vector with a direction")
    return [number / norm for number in numbers]
