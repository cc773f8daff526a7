"""What turns texts of knowledge into vectors: a model that runs inside, or one of the configuration.

A version names what it was made with. Of a configured model that is its row, its provider and what that calls it, so
that a row which is pointed at another model is noticed, and vectors of two models are never compared.
"""

import http.client
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mainstay.config.schema import Config
from mainstay.core.errors import InvalidRequest, MainstayError, Unavailable
from mainstay.encoders import minilm
from mainstay.grounding.config import EmbedderConfig, KnowledgeConfig
from mainstay.grounding.minilm import MiniLM
from mainstay.grounding.port import Embedder, Version
from mainstay.grounding.remote import Remote
from mainstay.grounding.wordllama import WordLlama
from mainstay.runtime.state import is_running, read_state

__all__ = ["AskModel", "Embedders", "ask_gateway", "call_gateway"]

#: A model of the configuration, texts, and the length that is wanted (None: its own), to vectors. Blocks; raises what
#: it likes of ``MainstayError``.
AskModel = Callable[[str, Sequence[str], int | None], Sequence[Sequence[float]]]
_MARK = "model:"
_KEY = "MAINSTAY_API_KEY"
#: Seconds for a batch.
_PATIENCE = 120.0


def ask_gateway(home: Path) -> AskModel:
    """Return what asks models over the running gateway of ``home``, as any caller does: with the key in the environment
    (``MAINSTAY_API_KEY``), or the one that ``mainstay up`` keeps. Every call is counted and recorded."""

    def ask(model: str, texts: Sequence[str], dimensions: int | None) -> Sequence[Sequence[float]]:
        body: dict[str, object] = {"model": model, "input": list(texts), "encoding_format": "float"}
        if dimensions is not None:
            body["dimensions"] = dimensions
        said = call_gateway(home, "/v1/embeddings", body, "embed")
        try:
            return [row["embedding"] for row in sorted(said["data"], key=lambda row: row["index"])]
        except (KeyError, TypeError) as error:
            raise _silent(model, "embed", error) from error

    return ask


def call_gateway(home: Path, path: str, body: dict[str, object], verb: str) -> Any:
    """Return what the running gateway of ``home`` answers; ``verb`` is what its model does. See :func:`ask_gateway`.

    Raises:
        Unavailable: none runs, there is no key, or it does not answer.
    """
    model = str(body["model"])
    state = read_state(home / "run") if is_running(home / "run") else None
    if not state or not state.get("url"):
        raise Unavailable(f"The model '{model}' {verb}s through the running gateway; start it with: mainstay up")
    try:
        key = os.environ.get(_KEY) or (home / "first-key").read_text().strip()
    except OSError:
        raise Unavailable(f"Give a key that may call '{model}' in {_KEY}.") from None
    connection = http.client.HTTPConnection(urlsplit(str(state["url"])).netloc, timeout=_PATIENCE)
    try:
        headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
        connection.request("POST", path, json.dumps(body), headers)
        response = connection.getresponse()
        said = json.loads(response.read())
        if response.status != 200:
            error = said.get("error")
            raise Unavailable(str(error["message"] if isinstance(error, dict) else said["message"]))
        return said
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _silent(model, verb, error) from error
    finally:
        connection.close()


def _silent(model: str, verb: str, error: Exception) -> Unavailable:
    return Unavailable(f"'{model}' does not {verb} now ({type(error).__name__}); try again shortly.")


class Embedders:
    """What embeds, under one configuration. Nothing loads, and nobody is asked, before the first text.

    Args:
        config: the configuration in force.
        ask: how a configured model is asked; None where none can be.
    """

    def __init__(self, config: Config, ask: AskModel | None = None) -> None:
        self._config = config
        self._ask = ask

    def wanted(self, row: KnowledgeConfig) -> Embedder | None:
        """Return what a new version is made with; None to search by words only.

        Raises:
            Unavailable: it is not installed, or cannot be reached.
            InvalidRequest: it is no model of the configuration.
        """
        kind = row.embedder
        if kind is None:
            return MiniLM() if minilm.is_installed() else None
        if isinstance(kind, EmbedderConfig):
            mark = self._mark(kind.model)
            if mark is None:
                raise InvalidRequest(f"There is no model '{kind.model}' in the configuration.", param="embedder")
            length = kind.dimensions or self._measure(kind.model)
            return Remote(mark, length, self._asker(kind.model, kind.dimensions))
        if kind == "none":
            return None
        return MiniLM() if kind == "minilm" else WordLlama()

    def embedder(self, row: KnowledgeConfig, version: Version) -> Embedder | None:
        """Return what a version was made with.

        Raises:
            Unavailable: it is not installed, or not configured any more.
        """
        name = version.embedder
        if not name:
            return None
        if name == MiniLM.name:
            return MiniLM()
        if name == WordLlama.name:
            return WordLlama()
        model = name.removeprefix(_MARK).partition("=")[0]
        if not name.startswith(_MARK) or self._mark(model) != name:
            raise Unavailable(
                f"The version '{version.name}' was made with another embedder than is configured now; build a new"
                " version."
            )
        given = row.embedder.dimensions if isinstance(row.embedder, EmbedderConfig) else None
        return Remote(name, version.dimensions, self._asker(model, given))

    def _mark(self, model: str) -> str | None:
        found = self._config.models.get(model)
        return None if found is None else f"{_MARK}{model}={found.provider}/{found.name or model}"

    def _asker(self, model: str, dimensions: int | None) -> Callable[[Sequence[str]], Sequence[Sequence[float]]]:
        def ask(texts: Sequence[str]) -> Sequence[Sequence[float]]:
            if self._ask is None:
                raise Unavailable(f"The model '{model}' can be asked by a running gateway only; start it.")
            return self._ask(model, texts, dimensions)

        return ask

    def _measure(self, model: str) -> int:
        """Return the length of a model's vectors, by asking it for one."""
        try:
            (vector,) = self._asker(model, None)(["length"])
        except MainstayError as error:
            raise Unavailable(f"The model '{model}' does not embed now: {error.message}") from error
        return len(vector)
