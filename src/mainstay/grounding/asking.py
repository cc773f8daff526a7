"""What a call asks of its route's knowledge, and what was found for it in time.

Asked by the line's step, and before it by a cache that keys answers by what they would rest on.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Literal

from mainstay.core.call import Call, Caller
from mainstay.core.clock import monotonic, since_ms
from mainstay.core.errors import NotFound, Unavailable
from mainstay.core.prompt import Message, Prompt, SourcePart, TextPart
from mainstay.core.sources import Found, Pin
from mainstay.grounding.attach import last_user
from mainstay.grounding.policies import Rule
from mainstay.grounding.port import Access, Library, Question

__all__ = ["Asking", "question_of"]

#: Characters of a question, and of an earlier turn, that are searched with.
_MOST: Final = 4000
_MOST_BEFORE: Final = 1000
#: Seconds that a search is given beyond its own budget, which it keeps by itself.
_GRACE: Final = 0.05


def question_of(prompt: Prompt, rule: Rule, access: Access) -> Question | None:
    """Return what is searched for, None where the user has said nothing in words."""
    place = last_user(prompt)
    if place < 0:
        return None
    turns = prompt.messages[:place] if rule.turns else ()
    before: list[tuple[Literal["user", "assistant"], str]] = [
        ("user" if message.role == "user" else "assistant", text[:_MOST_BEFORE])
        for message in turns
        if message.role in ("user", "assistant") and (text := _words(message))
    ]
    text = _words(prompt.messages[place])
    return Question(
        text[:_MOST],
        tuple(before[-rule.turns :]) if rule.turns else (),
        access,
        rule.version,
        rule.most,
        rule.tokens,
        rule.within,
    )


def _words(message: Message) -> str:
    said = [part.text for part in message.parts if isinstance(part, TextPart) and not isinstance(part, SourcePart)]
    return "\n".join(said).strip()


class Asking:
    """Asks one route's knowledge. Finds what a cache wants to know before the line's own step does.

    Args:
        rule: what the route answers from.
        library: what knows it.
        access: what a caller may read of it.
    """

    def __init__(self, rule: Rule, library: Library, access: Callable[[Caller], Access]) -> None:
        self.rule = rule
        self._library = library
        self._access = access

    async def find(self, call: Call) -> Found | None:
        """Return what is found for a call now, at one pin; None where it asks nothing in words.

        What was not found in time, or cannot be found now, is no error: ``search`` of what is found says so.

        Raises:
            Unavailable: there is no such base or version: the operator's to put right.
        """
        rule = self.rule
        question = question_of(call.ask.prompt, rule, self._access(call.caller))
        if question is None:
            return None
        # The first question after a start is not the one that goes without sources.
        await self._library.ready(rule.base)
        started = monotonic()
        try:
            async with asyncio.timeout(rule.within + _GRACE):
                return await self._library.find(rule.base, question)
        except NotFound as error:
            raise Unavailable(
                "What this route answers from is not there; its operator has to fill it first."
            ) from error
        except (TimeoutError, Unavailable) as error:
            failed = isinstance(error, Unavailable)
            return Found(Pin(rule.base, rule.version, 0), late=("search",), ms=since_ms(started), failed=failed)

    async def alive(self, call: Call, passages: Sequence[str]) -> bool:
        """Whether all of these passages are alive now, and this caller may read them."""
        return await self._library.alive(self.rule.base, passages, self._access(call.caller))
