"""The language of a request: which of its text counts, and when the answer is that nobody knows.

Code, addresses, markup and JSON are left out. What remains is read in pieces of a sentence or two, so that a text of
two languages is not taken for one of them; a piece too short for the first detector is shown to the next. Pure but for
:func:`open_detector`, which loads the models.
"""

import re
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Final

from mainstay.core.errors import StartError
from mainstay.core.prompt import Prompt, TextPart
from mainstay.guardrails.cld2 import Cld2
from mainstay.guardrails.fasttext import FastText
from mainstay.guardrails.port import UNKNOWN, Detector, Guess

__all__ = ["MISSING", "LanguageDetector", "find_language", "is_installed", "open_detector", "prose"]

#: What to tell whoever wants languages found where nothing can find them.
MISSING: Final = "needs packages that are not installed: pip install 'mainstay[languages]'"

#: Characters of a message that are looked at, half of them from its end.
_REACH: Final = 2000
#: Characters of prose that are read, and of one piece at least: shorter sentences are read with the next.
_ENOUGH: Final = 480
_PIECE: Final = 28
#: The part of what was recognised that must be of one language.
_SHARE: Final = 0.75
#: Letters that are enough to tell a language by: what stays unknown with so many is of several, or of none. With fewer
#: than the second a word of ASCII belongs to too many languages ("no", "ok", "die").
_TELLING, _TOO_FEW = 24, 4
#: Messages of the user that are looked at, from the last.
_MESSAGES: Final = 3

#: Fenced code, code in a line, addresses of pages and people, markup, escapes, mentions, paths and file names.
_MARKUP: Final = re.compile(
    r"```.*?(?:```|\Z)|`[^`\n]+`|\b[a-z][a-z+.-]{1,10}://\S+|\bwww\.\S+|\S+@\S+|</?[A-Za-z!][^<>]{0,300}>|"
    r"&[a-z]{2,8};|\\[nrt]|[@#]\w+|\b\w+(?:[./\\_]\w+)+",
    re.DOTALL,
)
#: Without one of these there is none of that; most messages have none, and looking for one is ten times faster.
_MARKS: Final = "`<@#\\/_&"
_DOTTED: Final = re.compile(r"\.\w")
#: Lines of code without a fence: ASCII that ends like a statement, or begins or compares like one.
_CODE: Final = re.compile(
    r"^[\x00-\x7f]*(?:[;{}]|\w\(.*\)|[!=]=.*|=>.*)[ \t]*$"
    r"|^[ \t]*(?:(?:def|class|import|from|return|const|let|var|public|private)\b[^.?!\n]*[(;={<].*"
    r"|(?:SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP)\b.*|\w+ ?= ?\S*)$",
    re.MULTILINE,
)
_CODED: Final = (*";{}=(<", "SELECT ", "INSERT ", "UPDATE ", "DELETE ", "CREATE ", "ALTER ", "DROP ")
_SENTENCE: Final = re.compile(r"(?<=[.!?。！？।؟\n])\s*")
_LETTERS: Final = re.compile(r"[^\W\d_]")


class LanguageDetector:
    """Asks several detectors, the most trusted first; see :class:`~mainstay.guardrails.port.Detector`."""

    def __init__(self, detectors: Sequence[Detector]) -> None:
        self._detectors = tuple(detectors)

    def detect(self, text: str) -> Guess:
        """Return the language of ``text``, and ``und`` where it is of several or too short to tell."""
        text = prose(text)
        if not text:
            return Guess()
        pieces = _pieces(text)
        if len(pieces) == 1:
            if text.isascii() and len(text) < 2 * _TOO_FEW and len(_LETTERS.findall(text)) < _TOO_FEW:
                return Guess()
            return self._piece(text)
        found: dict[str, int] = {}
        for piece in pieces:
            guess = self._piece(piece)
            found[guess.language] = found.get(guess.language, 0) + len(piece)
        unknown = found.pop(UNKNOWN, 0)
        if not found:
            return Guess()
        best = max(found, key=lambda code: found[code])
        known = sum(found.values())
        if found[best] < _SHARE * known or unknown > 2 * known:
            return Guess()
        return Guess(best, sure=True)

    def _piece(self, text: str) -> Guess:
        last = Guess()
        for detector in self._detectors:
            guess = detector.detect(text)
            if guess.sure:
                return guess
            if guess.language != UNKNOWN:
                last = guess
        return last


def find_language(prompt: Prompt, detector: Detector) -> str:
    """Return the code of the language that the user of ``prompt`` writes in, ``und`` when it is not known.

    The user's last message counts; one that is too short to tell ("ok") leaves it to the message before. What tools
    and models said never counts.
    """
    left = _MESSAGES
    for message in reversed(prompt.messages):
        if message.role != "user":
            continue
        texts = [part.text for part in message.parts if type(part) is TextPart]
        if not texts:
            continue
        text = texts[0] if len(texts) == 1 else "\n".join(texts)
        guess = detector.detect(text)
        left -= 1
        if guess.language != UNKNOWN or not left or len(_LETTERS.findall(prose(text))) >= _TELLING:
            return guess.language
    return UNKNOWN


def prose(text: str) -> str:
    """Return what of ``text`` a person wrote in a language, at most 480 characters."""
    if len(text) > _REACH:
        text = f"{text[: _REACH // 2]}\n{text[-_REACH // 2 :]}"
    text = text.strip()
    if not text or (text[0] in "{[" and text[-1] in "}]"):
        return ""
    if any(mark in text for mark in _MARKS) or _DOTTED.search(text):
        text = _MARKUP.sub(" ", text)
    if any(mark in text for mark in _CODED):
        text = _CODE.sub("", text)
    return text[:_ENOUGH].strip() if _LETTERS.search(text) else ""


def is_installed() -> bool:
    """Return whether there is anything to find languages with, without loading it."""
    return any(find_spec(package) is not None for package in ("pycld2", "fasttext_pybind"))


def open_detector() -> Detector:
    """Load what finds languages: one or two detectors, whichever are installed.

    Raises:
        StartError: none is.
    """
    detectors: list[Detector] = []
    for kind in (Cld2, FastText):
        try:
            detectors.append(kind())
        except ImportError:
            continue
    if not detectors:
        raise StartError(f"A route's 'language' {MISSING}.")
    return LanguageDetector(detectors)


def _pieces(text: str) -> list[str]:
    """Return ``text`` cut at the ends of sentences into pieces of some length."""
    if len(text) < _PIECE:
        return [text]
    least = max(_PIECE, len(text) // 4)
    pieces: list[str] = []
    held = ""
    for sentence in _SENTENCE.split(text):
        held = f"{held} {sentence}" if held else sentence
        if len(held) >= least:
            pieces.append(held)
            held = ""
    if held and pieces and len(held) < least // 2:
        pieces[-1] = f"{pieces[-1]} {held}"
    elif held:
        pieces.append(held)
    return pieces
