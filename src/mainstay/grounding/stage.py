"""The line's step that gives a model what to answer from, and shows what its answer rests on.

Going in: the question is searched for, within its time, and the passages are put beside it. Coming out: marks become
citations, claims get verdicts, and what the route says of unsupported ones is done. Knows no store and no dialect.
"""

from collections.abc import Awaitable

from msgspec.structs import replace

from mainstay.core.answer import Answer
from mainstay.core.call import Call
from mainstay.core.clock import wall_ms
from mainstay.core.errors import ContentBlocked, NothingFound, Unavailable
from mainstay.core.events import Grounded
from mainstay.core.record import Grounding
from mainstay.core.sources import Found, Source
from mainstay.core.stage import Onward
from mainstay.core.target import TALKS, Operation
from mainstay.grounding.asking import Asking
from mainstay.grounding.attach import attached, key_of, shown, told_nothing, without_citations
from mainstay.grounding.attribution import Passages
from mainstay.grounding.checking import Check
from mainstay.grounding.citing import is_whole, row_of
from mainstay.grounding.native import Natives, References, no_references
from mainstay.grounding.people import Reviews, ask_person, is_allowed
from mainstay.grounding.policies import oldest_ms, usable
from mainstay.grounding.settling import Settling, said

__all__ = ["Ground"]


class Ground:
    """Grounds the calls of one route.

    Args:
        asking: what finds its sources.
        check: checks claims against them; None: nobody does.
        secret: of which the marks around sources are made.
        reviews: where calls wait for a person.
        references: reads what a provider's own citations point at.
        plain: whether answers are text; what is held to a form has no marks.
    """

    def __init__(
        self,
        asking: Asking,
        check: Check | None = None,
        secret: bytes = b"",
        reviews: Reviews | None = None,
        references: References = no_references,
        *,
        plain: bool = True,
    ) -> None:
        self._asking = asking
        self._rule = asking.rule
        self._check = check
        self._secret = secret
        self._reviews = reviews
        self._references = references
        self._plain = plain

    def __call__(self, call: Call, onward: Onward) -> Awaitable[Answer]:
        return self._ground(call, onward) if call.ask.operation in TALKS else onward(call)

    async def _ground(self, call: Call, onward: Onward) -> Answer:
        ask = call.ask
        found = call.found or await self._asking.find(call)
        prompt = without_citations(ask.prompt)
        if found is None:
            return await onward(call if prompt is ask.prompt else replace(call, ask=ask.asking(prompt)))
        passages, texts, grounding = await self._sources(call, found)
        if ask.operation is not Operation.COUNT:
            call.record.grounding = grounding
        cites = self._rule.cite
        plain = self._plain and (prompt.form is None or prompt.form.kind == "text")
        put = attached(texts, key_of(self._secret, prompt, passages.sources), cite=cites and plain)
        natives = Natives(passages, texts, put, self._references)
        if texts:
            prompt = put.to(prompt)
        elif (answer := await self._nothing(call, found, grounding)) is not None:
            return answer
        else:
            prompt = told_nothing(prompt, late=not grounding.nothing)
        if call.gate is not None:
            call.gate.told(prompt)
        ask = ask.asking(prompt)
        if texts and cites and plain and self._rule.native:
            ask = replace(ask, adapters=(*ask.adapters, natives.adapt))
        call = replace(call, ask=ask, found=found)
        answer = await onward(call)
        if ask.operation is Operation.COUNT or not cites:
            return answer
        settling = Settling(
            self._rule, call, onward, passages, found, grounding, self._check, self._reviews, natives, plain=plain
        )
        return await settling.answer(answer)

    async def _sources(self, call: Call, found: Found) -> tuple[Passages, list[str], Grounding]:
        """Return what the model is given, and what it is to read of each, with the record of it."""
        now = wall_ms()
        kept, dropped = usable(found, self._rule, now)
        sources: list[Source] = []
        texts: list[str] = []
        for source in kept:
            why, text = "", shown(source)
            if not is_whole(source):
                why = "broken"
            elif call.tools is not None:
                try:
                    text = await call.tools.found(text)
                except ContentBlocked:
                    why = "blocked"
            if why:
                dropped[why] = dropped.get(why, 0) + 1
            else:
                sources.append(source)
                texts.append(text)
        pin = found.pin
        grounding = Grounding(
            pin.base,
            pin.version,
            pin.seq,
            [row_of(source) for source in sources],
            late=list(found.late),
            dropped=dropped,
            nothing=not sources and found.search == "done",
            search=found.search,
            confidence=round(found.confidence, 4),
            oldest_ms=oldest_ms(sources, now),
            ms=round(found.ms, 3),
        )
        return Passages(sources), texts, grounding

    async def _nothing(self, call: Call, found: Found, grounding: Grounding) -> Answer | None:
        """Do what the route says where nothing was found; return its answer, None where the model is asked.

        Raises:
            NothingFound, NeedsReview, Unavailable: the call ends here.
        """
        do = self._rule.nothing
        if do == "answer" or call.ask.operation is Operation.COUNT:
            return None
        if do == "say":
            grounding.did = "said"
            text = self._rule.text if grounding.nothing else self._rule.late
            told = Grounded(found.pin, nothing=grounding.nothing, late=tuple(grounding.late), search=found.search)
            return said(call, text, told)
        if do == "review":
            if not is_allowed(self._reviews, call, self._rule):
                kind = "nothing found" if grounding.nothing else "not searched"
                raise await ask_person(self._reviews, call, self._rule, grounding, {kind: 1})
            return None
        grounding.did = "refused"
        if not grounding.nothing:
            raise Unavailable(
                f"'{self._rule.base}', which this route answers from, could not be searched in time; ask again.",
                retry_after=1,
            )
        raise NothingFound(
            f"Nothing in '{self._rule.base}', which this route answers from, bears on this question; ask in other "
            "words, or about something else."
        )
