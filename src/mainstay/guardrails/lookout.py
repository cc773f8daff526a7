"""What looks at one answer: the scanners and judges of its rails, what they note, and what ends the answer.

Knows texts and their places, no events.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final, TypeVar

from mainstay.core.clock import monotonic
from mainstay.core.errors import ContentBlocked, RailFailed
from mainstay.guardrails.jsontext import JsonText
from mainstay.guardrails.port import Finding, Judge, Scanner
from mainstay.guardrails.rails import Rail, Trace
from mainstay.guardrails.restore import Restorer
from mainstay.guardrails.watches import Blocks, Watch
from mainstay.guardrails.window import STEP, Returning, Window

__all__ = ["SLICE", "Lookout"]

_Part = TypeVar("_Part")
#: Seconds that a judge has for so many texts at once.
_PATIENCE, _TOGETHER = 2.0, 16
#: Characters between looks where nothing waits for them.
_IDLE: Final = 256
#: Characters between looks of scanners that take a hundredth of a millisecond.
_QUICK: Final = 24
#: Characters of a text that is all there which are looked at in one go: others wait meanwhile.
SLICE: Final = 16_384
#: What ends an answer. A person who is to decide, or another model, would come too late for it.
_STOPS: Final = frozenset({"block", "human", "route"})
_COVERS: Final = frozenset({"mask", "pseudonymise"})


def _refused(rail: Rail, kind: str) -> ContentBlocked:
    """Return the error that ends an answer in which ``rail`` found ``kind``."""
    said = kind.replace("_", " ")
    words = f"The rail '{rail.name}' of this route found {said} in the answer, which is held back; ask for it without."
    return ContentBlocked(rail.reply or words, extra={"rail": rail.name, "kinds": [kind]})


class _Eye:
    """One scanner, and the rails that look with it; see :class:`~mainstay.guardrails.watches.Look`."""

    def __init__(self, scanner: Scanner, rails: Sequence[Rail], trace: Trace) -> None:
        self.rails = rails
        self.holds = any(_acts(rail) for rail in rails)
        self.reach = scanner.reach
        self._scanner = scanner
        self._settled: Callable[[str], int] | None = getattr(scanner, "settled", None)
        #: Where only the reach tells what is final, all of it is looked at again every time.
        self.stride = 1 if self._settled is not None else self.reach // 2
        #: Characters between looks, so that looking takes a small part of the time in which they come.
        self.step: int = min(STEP, getattr(scanner, "step", _QUICK))
        self._trace = trace
        self._blind = False

    def scan(self, text: str) -> Sequence[Finding]:
        if self._blind:
            return ()
        began = monotonic()
        try:
            found = self._scanner.scan(text)
        except Exception:  # noqa: BLE001  # whatever broke in a scanner, the rail's own policy says what follows
            self._fail()
            return ()
        seconds = monotonic() - began
        for rail in self.rails:
            self._trace.looked(rail, "output", seconds)
            seconds = 0.0
        return found

    def settled(self, text: str) -> int:
        if self._blind:
            return len(text)
        if self._settled is None:
            return max(0, len(text) - 2 * self.reach)
        try:
            return self._settled(text)
        except Exception:  # noqa: BLE001  # a scanner, as in scan()
            self._fail()
            return len(text)

    def _fail(self) -> None:
        self._blind = True
        _fail(self.rails, self._trace)


class _Bench:
    """One judge, and the rails that ask it. Asked aside where nothing waits for it: what comes meanwhile, together."""

    def __init__(self, judge: Judge, rails: Sequence[Rail], trace: Trace) -> None:
        self.rails = rails
        self.holds = any(_acts(rail) for rail in rails)
        #: What is no refusal in its beginning is none later on.
        self.once = all(rail.what == "refusal" for rail in rails)
        self.size = judge.window if self.once else max(1, judge.window // 2)
        self._judge = judge
        self._trace = trace
        self._blind = False
        self._waiting: list[tuple[str, int, str]] = []
        self._task: asyncio.Task[None] | None = None

    async def ask(self, texts: Sequence[tuple[str, int, str]]) -> list[str]:
        """Return for each text (with its place and start) the head that covers it, "" for none.

        Raises:
            ContentBlocked: a rail lets it not pass.
            RailFailed: it could not be judged.
        """
        heads: list[str] = []
        for first in range(0, len(texts), _TOGETHER):
            some = texts[first : first + _TOGETHER]
            words = [text for _, _, text in some if text.strip()]
            judged = iter(await self._judged(words) if words and not self._blind else ())
            for place, start, text in some:
                heads.append(self._weigh(next(judged, {}) if text.strip() else {}, place, start, text))
        return heads

    def ask_aside(self, texts: Sequence[tuple[str, int, str]]) -> None:
        """Have ``texts`` judged in the background."""
        self._waiting += texts
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def finish(self) -> None:
        """Wait for what is judged in the background."""
        if self._task is not None:
            await self._task

    async def stop(self) -> None:
        """Let go of it."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while self._waiting:
            texts, self._waiting = self._waiting, []
            await self.ask(texts)

    async def _judged(self, texts: Sequence[str]) -> Sequence[Mapping[str, float]]:
        began = monotonic()
        try:
            async with asyncio.timeout(_PATIENCE):
                found = await asyncio.to_thread(self._judge.judge, texts)
        except Exception:  # noqa: BLE001  # whatever broke in a judge, the rail's own policy says what follows
            self._blind = True
            _fail(self.rails, self._trace)
            return ()
        seconds = monotonic() - began
        for rail in self.rails:
            self._trace.looked(rail, "output", seconds)
            seconds = 0.0
        return found

    def _weigh(self, chances: Mapping[str, float], place: str, start: int, text: str) -> str:
        """Note what a judgement says against a text; return the head that covers it."""
        cover = ""
        for rail in self.rails:
            over = rail.over(chances)
            for head, value in over.items():
                self._trace.found(rail, "output", Finding(start, start + len(text), head, value), place)
            if over and rail.enforce:
                worst = max(over, key=over.__getitem__)
                if rail.do in _STOPS:
                    raise _refused(rail, worst)
                if rail.do in _COVERS:
                    cover = cover or worst
        return cover


class Lookout:
    """What looks at one answer.

    Args:
        rails: those of outputs.
        trace: takes the notes.
        mapping: values by pseudonym.
        grows: there may be more of them while the answer streams.
    """

    def __init__(self, rails: Sequence[Rail], trace: Trace, mapping: Mapping[str, str], *, grows: bool = False) -> None:
        self._eyes = [
            _Eye(part, those, trace)
            for scanner, those in _together(rails, lambda rail: rail.scanner)
            # Scanners that were made one, each within its own reach.
            for part in getattr(scanner, "parts", (scanner,))
        ]
        self._benches = [_Bench(judge, those, trace) for judge, those in _together(rails, lambda rail: rail.judge)]
        self._mapping = mapping
        self._restorers: dict[bool, tuple[int, Restorer]] = {}
        self._rails: Sequence[Rail] = rails
        self._trace = trace
        self._step = max((eye.step for eye in self._eyes if eye.holds), default=_QUICK)
        #: Whether there is anything to look with.
        self.looks = bool(rails)
        #: Whether a rail may change what a model says, or end it.
        self.acts = any(eye.holds for eye in self._eyes) or any(bench.holds for bench in self._benches)
        #: Whether what a model says may leave otherwise than it came, or not at all.
        self.holds = grows or bool(mapping) or self.acts
        self._gives = grows or bool(mapping)

    def window(self, place: str, spelling: JsonText | None, offset: int, *, whole: bool) -> Window:
        """Return a new window for a text; JSON where it has a ``spelling`` of its own, ``whole`` if it is all there."""
        for rail in self._rails:
            # In the order of the rails, whichever has something to say first.
            self._trace.looked(rail, "output", 0.0)
        self._rails = ()
        eyes = [Watch(number, eye, holds=eye.holds) for number, eye in enumerate(self._eyes)]
        behind = len(eyes)
        blocks = [
            Blocks(behind + at, one.size, holds=one.holds, once=one.once)
            for at, one in enumerate(self._benches)
            if not one.once or (not offset and place.endswith((".text", ".refusal")))
        ]
        known = partial(self.restorer, json=spelling is not None) if self._gives else None
        step = SLICE if whole else self._step if self.holds else _IDLE
        return Window(eyes, blocks, masks=self._masks, spelling=spelling, known=known, offset=offset, step=step)

    def returning(self, *, json: bool) -> Returning:
        """Return a new window for a text that nothing looks at."""
        return Returning(lambda: Restorer(self._mapping, json=json), self._mapping)

    def restorer(self, *, json: bool) -> Restorer:
        """Return what finds the pseudonyms that there are now."""
        size = len(self._mapping)
        held = self._restorers.get(json)
        if held is None or held[0] != size:
            held = self._restorers[json] = (size, Restorer(self._mapping, json=json))
        return held[1]

    def note(self, noted: Sequence[tuple[int, Finding]], place: str) -> None:
        """Note what was found at ``place``.

        Raises:
            ContentBlocked: a rail lets it not pass.
        """
        for number, finding in noted:
            if number >= len(self._eyes):
                continue  # a judge's, noted when it was judged
            for rail in self._eyes[number].rails:
                if rail.counted((finding,)):
                    self._trace.found(rail, "output", finding, place)
                    if rail.enforce and rail.do in _STOPS:
                        raise _refused(rail, finding.kind)

    async def ask(self, window: Window, place: str) -> None:
        """Have judged what is due in ``window``; what nothing waits for goes on in the background.

        Raises:
            ContentBlocked: a rail lets it not pass.
            RailFailed: it could not be judged.
        """
        due, window.due = window.due, []
        behind = len(self._eyes)
        for number, parts in due:
            bench, texts = self._benches[number - behind], [(place, start, text) for start, text in parts]
            if bench.holds:
                window.judged(number, await bench.ask(texts))
            else:
                bench.ask_aside(texts)

    def scan_whole(self, text: str, place: str) -> bool:
        """Look at a text that is all there; return whether something in it would be masked.

        Raises:
            ContentBlocked: a rail lets it not pass.
        """
        masked = False
        for number, eye in enumerate(self._eyes):
            for finding in eye.scan(text):
                self.note(((number, finding),), place)
                masked = masked or self._masks(number, finding)
        return masked

    async def finish(self) -> None:
        """Wait for the judges in the background."""
        for bench in self._benches:
            await bench.finish()

    async def stop(self) -> None:
        """Let go of them."""
        for bench in self._benches:
            await bench.stop()

    def _masks(self, number: int, finding: Finding) -> bool:
        if number >= len(self._eyes):
            return True
        rails = self._eyes[number].rails
        return any(rail.enforce and rail.do in _COVERS and rail.counted((finding,)) for rail in rails)


def _acts(rail: Rail) -> bool:
    return rail.enforce and rail.do in _STOPS | _COVERS


def _together(rails: Sequence[Rail], part: Callable[[Rail], _Part | None]) -> Iterator[tuple[_Part, list[Rail]]]:
    """Yield rails that share their scanner or judge, so that it looks once for all of them."""
    groups: dict[int, tuple[_Part, list[Rail]]] = {}
    for rail in rails:
        one = part(rail)
        if one is not None:
            groups.setdefault(id(one), (one, []))[1].append(rail)
    yield from groups.values()


def _fail(rails: Sequence[Rail], trace: Trace) -> None:
    """Note that rails cannot look.

    Raises:
        RailFailed: one of them lets nothing pass that it has not seen.
    """
    for rail in rails:
        trace.failed(rail, "output")
    for rail in rails:
        if _acts(rail) and rail.closed:
            raise RailFailed(
                f"The rail '{rail.name}' of this route could not look at the answer; try again shortly.",
                retry_after=1.0,
                extra={"rail": rail.name},
            )
