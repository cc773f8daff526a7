"""Presidio as a further detector: heard beside our own, when it is installed and asked for.

Its findings depend on the whole text, so ``reach`` is without bound here and streams are held back to their end. It
knows nothing of our rules.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Final, Protocol

from mainstay.core.errors import StartError
from mainstay.guardrails.port import Finding

__all__ = ["PresidioScanner", "open_presidio"]

_KINDS: Final[Mapping[str, str]] = {
    "PERSON": "person",
    "LOCATION": "place",
    "ORGANIZATION": "organisation",
    "NRP": "nationality",
    "EMAIL_ADDRESS": "email",
    "PHONE_NUMBER": "phone",
    "URL": "url",
    "IP_ADDRESS": "ip",
    "MAC_ADDRESS": "mac",
    "CREDIT_CARD": "card",
    "IBAN_CODE": "iban",
    "US_BANK_NUMBER": "account",
    "CRYPTO": "crypto",
    "US_PASSPORT": "passport",
    "US_DRIVER_LICENSE": "driving_licence",
    "DATE_TIME": "date",
}
#: Its other kinds are numbers of one country or another.
_REST: Final = "national_id"


#: The model that Presidio loads, and would otherwise fetch.
_MODEL: Final = "en_core_web_lg"


class _Result(Protocol):
    start: int
    end: int
    entity_type: str
    score: float


class _Analyzer(Protocol):
    def analyze(self, text: str, language: str) -> Iterable[_Result]: ...


class PresidioScanner:
    """See :class:`~mainstay.guardrails.port.Scanner`.

    Args:
        engine: an ``AnalyzerEngine``, or what has its ``analyze``.
        language: of the texts, by its code.
    """

    def __init__(self, engine: _Analyzer, language: str = "en") -> None:
        self._engine = engine
        self._language = language

    @property
    def kinds(self) -> frozenset[str]:
        """What it can find."""
        return frozenset({*_KINDS.values(), _REST})

    @property
    def reach(self) -> int:
        """Without bound: what it finds depends on the whole text."""
        return sys.maxsize

    def scan(self, text: str) -> Sequence[Finding]:
        """Return what Presidio finds, in order; of places that overlap the surest."""
        found = [
            Finding(
                one.start, one.end, _KINDS.get(one.entity_type, _REST), float(one.score), f"presidio:{one.entity_type}"
            )
            for one in self._engine.analyze(text=text, language=self._language)
        ]
        taken: list[Finding] = []
        for one in sorted(found, key=lambda one: (-one.score, one.start - one.end, one.start)):
            if all(one.end <= other.start or other.end <= one.start for other in taken):
                taken.append(one)
        return sorted(taken, key=lambda one: one.start)


def open_presidio() -> PresidioScanner:
    """Load Presidio with the recognisers and the English model it comes with; seconds and hundreds of megabytes.

    Raises:
        StartError: it or its model is not installed; Presidio would fetch the model, and nothing here fetches.
    """
    for package in ("presidio_analyzer", _MODEL):
        if find_spec(package) is None:
            raise StartError(
                f"Presidio is to look for personal data too, but {package} is not installed: install presidio-analyzer "
                f"and spaCy's {_MODEL}, or take 'presidio: true' out."
            )
    return PresidioScanner(import_module("presidio_analyzer").AnalyzerEngine())
