"""What this room needs to see with: detectors of languages, scanners of places in a text, judges of a whole text; and
the people who are asked where no program is to decide."""

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import msgspec

from mainstay.core.call import Call

__all__ = ["UNKNOWN", "Detector", "Finding", "Guess", "Judge", "Reviews", "Scanner"]

#: ISO 639-2's own code for what is not determined.
UNKNOWN: Final = "und"


class Guess(msgspec.Struct, frozen=True):
    """A language by its code of ISO 639 (two letters where it has them), and whether the text is enough to rely on.

    A guess of ``und`` is never sure.
    """

    language: str = UNKNOWN
    sure: bool = False


class Detector(Protocol):
    """Finds the language of a text. No I/O and no network; microseconds."""

    def detect(self, text: str) -> Guess:
        """Return the language that most of ``text`` is in. Never raises, whatever the text holds."""
        ...


class Finding(msgspec.Struct, frozen=True, gc=False):
    """A place in a text: characters from ``start`` up to ``end``, what it is (``email``, ``api_key``), how sure that is
    (a calibrated probability), and the rule that found it. It never holds the text itself."""

    start: int
    end: int
    kind: str
    score: float = 1.0
    rule: str = ""


class Scanner(Protocol):
    """Finds places in a text. No I/O and no network.

    ``reach`` bounds what a finding may depend on: with the same ``reach`` characters before its start and after its end
    it is found alike, whatever stands further away, and it is no longer than that itself. So a text may be scanned in
    windows, and what is found in a stream is what is found in the whole.
    """

    @property
    def kinds(self) -> frozenset[str]:
        """What it can find."""
        ...

    @property
    def reach(self) -> int:
        """Characters around a finding that it may depend on, and its greatest length."""
        ...

    def scan(self, text: str) -> Sequence[Finding]:
        """Return what is found, in order, without overlaps. Never raises, whatever the text holds."""
        ...


class Judge(Protocol):
    """Judges a text as a whole. No I/O and no network; milliseconds, so it runs in a thread."""

    @property
    def heads(self) -> frozenset[str]:
        """What it judges: ``injection``, ``hate`` and the like."""
        ...

    @property
    def window(self) -> int:
        """Characters that are judged together at most; a longer text is judged window by window."""
        ...

    def judge(self, texts: Sequence[str]) -> Sequence[Mapping[str, float]]:
        """Return for each text (of at most ``window`` characters) a calibrated probability for each head."""
        ...


class Reviews(Protocol):
    """People who decide on what a rail holds. ``digest`` is a hash, in hex, of what the rail looked at."""

    def allowed(self, call: Call, rail: str, digest: str) -> bool:
        """Say whether a person has let this key send this past this rail. No I/O; microseconds."""
        ...

    async def ask(self, call: Call, rail: str, digest: str, kinds: Mapping[str, int]) -> str:
        """Have a person decide; return the id of the review, the same as long as it is about the same.

        Raises:
            MainstayError: a person has denied it, or cannot be asked now; the call is refused with it.
        """
        ...
