"""Compact Language Detector 2: sure and fast on sentences, silent on a word or two.

The package ``pycld2`` brings code and tables. Knows one piece of text; what is a request's text stands in ``language``.
"""

from collections.abc import Callable
from typing import Any, Final

from mainstay.guardrails.iso639 import LANGUAGES
from mainstay.guardrails.port import Guess

__all__ = ["Cld2"]

#: Its names for languages that ISO 639 calls otherwise; Nynorsk is Norwegian.
_ISO: Final = {"iw": "he", "jw": "jv", "bh": "bho", "nn": "no", "zh-Hant": "zh"}
_NOTHING: Final = Guess()


class Cld2:
    """See :class:`~mainstay.guardrails.port.Detector`.

    Raises:
        ImportError: the package is not installed.
    """

    def __init__(self) -> None:
        import pycld2

        self._detect: Callable[..., Any] = pycld2.detect
        self._error: type[Exception] = pycld2.error
        self._known = {code: Guess(code, sure=True) for code in LANGUAGES}

    def detect(self, text: str) -> Guess:
        """Return the language of a piece of text, if it is sure of it."""
        try:
            reliable, _, found = self._detect(text, isPlainText=True)
        except (self._error, UnicodeEncodeError):
            # Control characters and lone surrogates: valid in JSON, and no text.
            return _NOTHING
        if not reliable:
            return _NOTHING
        code = found[0][1]
        return self._known.get(_ISO.get(code, code), _NOTHING)
