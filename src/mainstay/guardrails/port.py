"""What finds languages: something that names the language of a text, or owns that it does not know."""

from typing import Final, Protocol

import msgspec

__all__ = ["UNKNOWN", "Detector", "Guess"]

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
