"""What an upstream's error must not tell a caller: credentials, where the upstream is, and what it calls a model.

Codecs take out what looks like a key or an address; this takes out what is known to be one, whatever it looks like,
from every error of every wire on its way to the caller. Here too go stack traces and the paths of the upstream's
files. What is replaced says what it was, so that the sentence can still be read. Knows no wire.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

import msgspec

from mainstay.core.errors import MainstayError
from mainstay.core.target import Target

__all__ = ["Redaction"]

#: Shorter ones are words that stand in any sentence.
_SHORTEST = 8
#: A line of a stack as Python, Java, Node or Go prints it.
_TRACE = re.compile(
    r"Traceback \(most recent call last\)|File \"[^\"]+\", line \d+|\bat [\w.$<>]+ ?\([^()\s]+:\d+(?::\d+)?\)"
    r"|\bgoroutine \d+ \["
)
_PATH = re.compile(
    r"(?<![\w./:])/(?:usr|home|root|opt|var|app|tmp|srv|mnt|data|workspace|etc|proc|run|lib|code|build)(?:/[^\s\"'`,;)]+)+"
    r"|[A-Za-z]:\\(?:[^\s\"'`\\]+\\)+[^\s\"'`]*"
)
_HIDDEN = "The upstream gave a reason that only the operator may see; ask the operator."
#: What may stand beside a name that is meant, and not part of a longer one.
_BEFORE, _AFTER = r"(?<![\w./@-])", r"(?![\w/@-]|[.:]\w)"


class Redaction:
    """Takes from errors of one provider what only its operator knows.

    Args:
        secrets: its credentials, as they go up.
        host: the name or address it is reached at.
    """

    __slots__ = ("_host", "_secrets")

    def __init__(self, secrets: Sequence[bytes], host: str) -> None:
        self._secrets = tuple(secrets)
        self._host = host

    def clean(self, error: MainstayError, target: Target) -> None:
        """Change what ``error`` says where it says too much; the model is called what the operator calls it."""
        error.message = self._words(error.message, target) or _HIDDEN
        error.args = (error.message,)
        if error.param is not None:
            error.param = self._words(error.param, target) or None
        if error.code != type(error).code:
            error.code = self._words(error.code, target) or type(error).code
        if error.extra is not None:
            said = msgspec.json.encode(error.extra).decode()
            cleaned = self._words(said, target)
            if cleaned != said:
                error.extra = _read(cleaned) if cleaned else None

    def _words(self, words: str, target: Target) -> str:
        if _TRACE.search(words):
            return ""
        for pattern, instead in _known(self._secrets, self._host):
            words = pattern.sub(instead, words)
        words = _PATH.sub("[path]", words)
        if target.upstream and target.upstream != target.model:
            words = _name(target.upstream).sub(lambda _: target.model, words)
        return words


@lru_cache(maxsize=256)
def _known(secrets: tuple[bytes, ...], host: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    """Return what is known of a provider and what is said instead, longest first."""
    texts = [secret.decode("latin-1") for secret in secrets]
    # A codec may have taken a part of one for an address and left the rest.
    parts = [part for text in texts for part in re.split(r"[^A-Za-z0-9]+", text) if _is_unlikely(part)]
    found = sorted({*texts, *parts}, key=len, reverse=True)
    patterns = []
    if found:
        patterns.append((re.compile("|".join(map(re.escape, found))), "[secret]"))
    if host:
        patterns.append((_place(host), "[address]"))
    return tuple(patterns)


def _is_unlikely(part: str) -> bool:
    """Return whether a piece of a credential stands in no sentence by itself."""
    return len(part) >= _SHORTEST and not part.isalpha() and not part.isdigit()


def _place(host: str) -> re.Pattern[str]:
    """Return what finds a host; one that is a plain word only where it is meant as a host."""
    name = rf"\[?{re.escape(host)}\]?"
    if host.isalpha():
        return re.compile(rf"(?<=//){name}(?::\d+)?|(?<=@){name}(?::\d+)?|\b{name}:\d+", re.IGNORECASE)
    return re.compile(rf"(?<![\w.-]){name}(?::\d+)?(?![\w-])", re.IGNORECASE)


@lru_cache(maxsize=1024)
def _name(name: str) -> re.Pattern[str]:
    """Return what finds an upstream's name for a model; one that is a plain word only in quotes."""
    if name.isalpha():
        return re.compile(rf"(?<=[\"'`]){re.escape(name)}(?=[\"'`])")
    return re.compile(_BEFORE + re.escape(name) + _AFTER)


def _read(text: str) -> dict[str, object] | None:
    """Return the fields that ``text`` says, None should what was taken out have broken them."""
    try:
        return msgspec.json.decode(text, type=dict[str, object])
    except msgspec.DecodeError:
        return None
