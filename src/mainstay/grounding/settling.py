"""The answer of one grounded call on its way out: cited as it passes, or settled whole where a policy wants that.

Asks the model once more where the route says so; knows no wire.
"""

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from mainstay.core.answer import Answer, SingleFrame, Whole
from mainstay.core.call import Call
from mainstay.core.errors import MainstayError, OutputInvalid
from mainstay.core.events import Cited, ClaimEnded, Event, Finished, FinishReason, Frame, Grounded, Metered, TextDelta
from mainstay.core.fold import fold
from mainstay.core.prompt import Message, Prompt, TextPart
from mainstay.core.record import Grounding
from mainstay.core.sources import Found
from mainstay.core.stage import Onward
from mainstay.core.target import Target
from mainstay.core.usage import Usage, add_up
from mainstay.grounding.answering import Answering, Ungrounded
from mainstay.grounding.attribution import Passages
from mainstay.grounding.checking import Check, Checks
from mainstay.grounding.native import Natives
from mainstay.grounding.people import Reviews, ask_person, is_allowed
from mainstay.grounding.policies import Rule, is_weak
from mainstay.grounding.streams import CitedFrames, HeldFrames, cited, collect
from mainstay.grounding.structured import Structured

__all__ = ["Settling", "said"]

#: Claims that the model is told of when it is asked again.
_TOLD: Final = 10
_AGAIN: Final = (
    "No passage supports these statements of your answer:\n{claims}\nAnswer the question again, and say only what the "
    "passages say."
)


def said(call: Call, text: str, grounded: Grounded) -> Answer:
    """Return an answer of the gateway's own: no model was asked, and no token counted."""
    nobody = Target("grounding", "mainstay", "mainstay", "grounding")
    told = TextDelta(text)
    whole = fold((told, grounded, Finished(FinishReason.STOP), Metered(Usage())))
    whole.id, whole.model = call.record.id, "grounding"
    if call.ask.stream:
        return Answer(nobody, frames=SingleFrame(Frame(whole.events)))
    return Answer(nobody, whole=whole)


class Settling:
    """Takes the answer of one call through what its route says of it.

    Args:
        rule: the route's.
        call: the call as the model was asked it.
        onward: asks the model.
        passages: what it was given.
        found: the search that they are from.
        grounding: the record's.
        check: checks claims; None: nobody does.
        reviews: where calls wait for a person.
        natives: what a provider's own citations are held against.
        plain: whether the answer is text; else it is JSON, in which no mark stands.
    """

    def __init__(
        self,
        rule: Rule,
        call: Call,
        onward: Onward,
        passages: Passages,
        found: Found,
        grounding: Grounding,
        check: Check | None,
        reviews: Reviews | None,
        natives: Natives | None = None,
        *,
        plain: bool = True,
    ) -> None:
        if rule.unsupported == "review" and is_allowed(reviews, call, rule):
            rule = replace(rule, unsupported="mark")
        self._rule = rule
        self._call = call
        self._onward = onward
        self._passages = passages
        self._found = found
        self._grounding = grounding
        self._check = check
        self._reviews = reviews
        self._natives = natives
        self._plain = plain
        self._attribute = True

    async def answer(self, answer: Answer) -> Answer:
        """Return the answer as it leaves.

        Raises:
            OutputInvalid, NeedsReview: the route lets it not pass. A stream raises it on its way.
        """
        self._attribute = self._natives is None or not self._natives.was_asked(answer.target)
        if answer.frames is not None:
            unsure = self._plain and self._rule.unsupported is not None and self._found.confidence < self._rule.unsure
            if unsure or self._rule.unsupported in (("reask",) if self._plain else ("reask", "refuse", "review")):
                return replace(answer, frames=HeldFrames(answer.frames, self._settled))
            return replace(answer, frames=CitedFrames(answer.frames, self._answering(), self._refusal))
        assert answer.whole is not None
        return replace(answer, whole=_written(answer.whole, await self._settled(answer.whole.events)))

    def _answering(self) -> Answering | Structured:
        checks = Checks(self._rule, self._passages, self._check)
        pin = self._found.pin if self._passages.sources else None
        if not self._plain:
            return Structured(self._rule, self._passages, checks, pin, self._grounding)
        return Answering(
            self._rule, self._passages, checks, pin, self._grounding, self._natives, attribute=self._attribute
        )

    async def _settled(self, events: Sequence[Event]) -> Sequence[Event]:
        """Return the events of a whole answer as they leave.

        Raises:
            OutputInvalid, NeedsReview: as above.
        """
        answering = self._answering()
        try:
            out = await cited(answering, events)
        except Ungrounded as ungrounded:
            raise await self._refusal(ungrounded) from None
        if self._rule.unsupported == "reask" and answering.unsupported:
            out = await self._again(events, out, answering.unsupported)
        if self._plain and is_weak(self._found.confidence, self._grounding.verdicts, self._rule):
            self._grounding.did = "abstained"
            self._grounding.citations = []
            return _instead(out, self._rule.abstention)
        return out

    async def _refusal(self, ungrounded: Ungrounded) -> MainstayError:
        """Return the error that an answer with unsupported claims ends in."""
        if self._rule.unsupported == "review":
            kinds = {"unsupported claim": len(ungrounded.claims)}
            return await ask_person(self._reviews, self._call, self._rule, self._grounding, kinds)
        self._grounding.did = "refused"
        return OutputInvalid(
            "The model said what no source of this route supports; ask again, or in other words.", code="not_grounded"
        )

    async def _again(self, events: Sequence[Event], out: Sequence[Event], claims: Sequence[str]) -> list[Event]:
        """Ask once more; return the new answer as it leaves, or the one there is where none comes."""
        call, record, grounding = self._call, self._call.record, self._grounding
        made, served = len(record.attempts), (record.target, record.provider, record.vendor)
        again = _reask(call.ask.prompt, events, claims)
        try:
            answer = await self._onward(replace(call, ask=call.ask.asking(again)))
            fresh = answer.whole.events if answer.whole is not None else await _collected(answer)
        except MainstayError:
            record.target, record.provider, record.vendor = served
            return list(out)
        finally:
            if made < len(record.attempts):
                record.attempts[made].cause = "reask"
        grounding.did = "reasked"
        grounding.citations, grounding.verdicts, grounding.invented = [], {}, 0
        settled = await cited(self._answering(), fresh)
        return _with_usage(settled, [*_usages(events), *_usages(fresh)])


async def _collected(answer: Answer) -> Sequence[Event]:
    assert answer.frames is not None
    return await collect(answer.frames)


def _reask(prompt: Prompt, events: Sequence[Event], claims: Sequence[str]) -> Prompt:
    text = "".join(event.text for event in events if isinstance(event, TextDelta) and event.choice == 0)
    told = "\n".join(f"- {claim}" for claim in claims[:_TOLD])
    turns = (
        Message("assistant", (TextPart(text),)),
        Message("user", (TextPart(_AGAIN.format(claims=told)),)),
    )
    return replace(prompt, messages=(*prompt.messages, *turns))


def _usages(events: Sequence[Event]) -> list[Usage]:
    return [event.usage for event in events if isinstance(event, Metered)]


def _with_usage(events: Sequence[Event], usages: Sequence[Usage]) -> list[Event]:
    kept = [event for event in events if not isinstance(event, Metered)]
    return [*kept, Metered(add_up(usages))] if usages else kept


def _instead(events: Sequence[Event], text: str) -> list[Event]:
    """Return an answer that says ``text`` in the place of what it said."""
    kept: list[Event] = []
    for event in events:
        if isinstance(event, TextDelta | Cited | ClaimEnded):
            continue
        if isinstance(event, Grounded):
            kept.append(TextDelta(text, event.choice))
            kept.append(replace(event, citations=()))
        else:
            kept.append(event)
    return kept


def _written(whole: Whole, events: Sequence[Event]) -> Whole:
    """Return a whole answer with other events."""
    usages = _usages(events)
    ends = tuple(event.reason for event in events if isinstance(event, Finished))
    usage = usages[-1] if usages else whole.usage
    return replace(whole, wire=b"", decode=None, usage=usage, finish=ends or whole.finish, _events=fold(events).events)
