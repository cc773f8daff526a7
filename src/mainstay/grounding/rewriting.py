"""What to search for when a question leans on what was said before: "And in 2024?", "Who founded it?".

Without a model, words are carried over from earlier turns: names and numbers first, then what the last question was
about. Pure. A ``Rewriter`` that asks a model may stand in its place.
"""

from collections.abc import Sequence
from typing import Final, Literal, Protocol

from mainstay.grounding.terms import names, terms, tokens

__all__ = ["Rewriter", "Turn", "carried", "leans", "standalone"]

Turn = tuple[Literal["user", "assistant"], str]

#: Words carried over at most, and turns looked back on.
_WORDS: Final = 8
_TURNS: Final = 6
#: A question with fewer words that say something leans on what was said.
_SHORT: Final = 3
#: Signs read of a turn: an answer's beginning says what it is about.
_READ: Final = 2000
#: Words that stand for something said before. Those that mostly mean something else ("that", "il") are not among them.
_POINTING: Final = frozenset(
    (  # noqa: SIM905  # as a list it takes a page
        "it its itself they them their theirs he him his she her hers this these those ones former latter"
        " er es ihm ihn deren dessen diese dieser dieses jene dort davon dazu damit dafür darüber"
        " elle elles ils celui celle ceux celles cela ça"
        " él ella ellos ellas ello ese esa eso esos esas aquel aquella"
        " essa esso questa questo quella quello loro ele ela eles elas dele dela isso isto"
        " hij zij haar hun deze daar он она оно они его её их ему ей им этот эта эти там"
    ).split()
)
#: The same where words have no blanks between them.
_WITHIN: Final = ("它", "他", "她", "这", "那", "それ", "これ", "その", "この", "彼", "그것", "이것")
_OPENINGS: Final = ("and ", "what about", "how about", "but ", "und ", "et ", "y ", "а ", "そして")
#: "that" points back at the end of a question, and after these.
_BEFORE_THAT: Final = frozenset(("is", "was", "does", "did", "about", "of", "for", "with", "like", "why", "mean"))


class Rewriter(Protocol):
    """Asks a model for a question that can be understood without the turns before. Blocks; called in a thread."""

    def rewrite(self, question: str, before: Sequence[Turn]) -> str:
        """Return the question to search for.

        Raises:
            Unavailable: the model cannot be reached.
        """
        ...


def leans(question: str) -> bool:
    """Return whether ``question`` seems to lean on what was said before: it points back, goes on, or is very short."""
    said = tokens(question)
    if not said or question.strip().lower().startswith(_OPENINGS) or any(one in question for one in _WITHIN):
        return True
    for before, word, last in zip(["", *said], said, [*[False] * (len(said) - 1), True], strict=False):
        if word in _POINTING or (word == "that" and (last or before in _BEFORE_THAT)):
            return True
    return len(terms(question)) < _SHORT


def carried(question: str, before: Sequence[Turn]) -> tuple[str, ...]:
    """Return the words that ``question`` takes over from the turns before, most telling first; none if it stands alone.

    Names and numbers of what the user said, from the last turn back, then the words of the last question, then names
    in the last answer.
    """
    users = [text[:_READ] for who, text in before[-_TURNS:] if who == "user"]
    if not before or not leans(question):
        return ()
    own = set(tokens(question))
    answers = [text[:_READ] for who, text in before[-_TURNS:] if who == "assistant"]
    found: dict[str, None] = {}
    for text in reversed(users):
        found |= dict.fromkeys(names(text))
    if users:
        known = {part for word in found for part in (word.lower(), *tokens(word))}
        found |= dict.fromkeys(word for word in terms(users[-1]) if word not in known)
    if answers:
        found |= dict.fromkeys(names(answers[-1]))
    kept = [word for word in found if (parts := tokens(word)) and not own.intersection(parts)]
    return tuple(kept[:_WORDS])


def standalone(question: str, before: Sequence[Turn]) -> tuple[str, tuple[str, ...]]:
    """Return the question to embed, and words to look for besides its own: both carry over what it leans on."""
    words = carried(question, before)
    if not words:
        return question, ()
    return f"{question} ({', '.join(words)})", tuple(part for word in words for part in tokens(word))
