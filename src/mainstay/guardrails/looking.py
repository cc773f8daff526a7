"""Has rails look at texts: scanners at once, long texts and judges in a thread, all of them within a time.

What is found is noted on the call's trace; what is done about it is not decided here. Knows neither prompts nor bodies.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Literal, TypeVar

import msgspec

from mainstay.core.clock import monotonic
from mainstay.guardrails.bodies import Source, Stretch
from mainstay.guardrails.port import Finding, Judge
from mainstay.guardrails.rails import Place, Rail, Trace

__all__ = ["Looked", "Memory", "Seen", "Sight", "judge_all", "place_of", "scan_all", "windows"]

_Given = TypeVar("_Given")
_Found = TypeVar("_Found")
#: Characters from which on a text is scanned in a thread: a loop that serves others must not wait for it.
_LONG: Final = 32_768
#: Seconds that looking may take, and what each further thousand characters may add.
_PATIENCE, _EACH = 2.0, 0.02
#: Windows that are judged together, and that one judge remembers.
_BATCH, _REMEMBERED = 16, 4096
#: Threads that judge one text.
_ABREAST: Final = 4
#: Rails that look at what comes from outside.
_FOREIGN: Final = frozenset({"injection", "topics"})
#: Fields of a task that hold its text; elsewhere a string without a blank is the name of something.
_TEXTS: Final = frozenset({"input", "documents", "query", "prompt", "instructions", "suffix"})


class Seen(msgspec.Struct, frozen=True):
    """A text to look at: what it counts as (the first that a rail looks at is its place), and its name on records."""

    text: str
    places: tuple[Place, ...]
    name: str = ""
    #: False for the words of the operator and of the model, which are no injection and choose no topic.
    foreign: bool = True
    #: Whether judges read it: a part of a text that they read is not read again.
    judged: bool = True
    #: Which scanners read it. What a secret is assigned to stands around a string of JSON, so that is for them whole.
    scanned: Literal["all", "secrets", "others"] = "all"
    #: The user's last words, once more: novelty looks at these alone, and nothing else does.
    asked: bool = False
    #: Words in an image, for the rails that look at images.
    pictured: bool = False


class Sight(msgspec.Struct):
    """What rails found: by the number of the rail, the numbers of texts with what was found in each; and the rails
    that could not look."""

    found: dict[int, dict[int, list[Finding]]] = {}
    failed: list[int] = []

    def add(self, rail: int, text: int, findings: Iterable[Finding]) -> None:
        """Add what a rail found in a text."""
        self.found.setdefault(rail, {}).setdefault(text, []).extend(findings)


class Memory:
    """A judge that remembers: the turns of a conversation come again with every call. See
    :class:`~mainstay.guardrails.port.Judge`. It keeps digests of texts, never texts."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._known: dict[bytes, Mapping[str, float]] = {}

    @property
    def heads(self) -> frozenset[str]:
        """See the port."""
        return self._judge.heads

    @property
    def window(self) -> int:
        """See the port."""
        return self._judge.window

    @property
    def thresholds(self) -> Mapping[str, float]:
        """For each head the probability from which on it is worth acting."""
        usual: Mapping[str, float] = getattr(self._judge, "thresholds", {})
        return usual

    def remembered(self, texts: Sequence[str]) -> Sequence[Mapping[str, float]] | None:
        """Return the verdicts on ``texts`` where all of them are known, None otherwise. Microseconds."""
        known = self._known
        found = []
        for text in texts:
            verdict = known.get(_digest(text))
            if verdict is None:
                return None
            found.append(verdict)
        return found

    def judge(self, texts: Sequence[str]) -> Sequence[Mapping[str, float]]:
        """See the port."""
        keys, known = [_digest(text) for text in texts], self._known
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        fresh: dict[bytes, Mapping[str, float]] = {}
        left = list(new)
        for start in range(0, len(left), _BATCH):
            some = left[start : start + _BATCH]
            fresh.update(zip(some, self._judge.judge([new[key] for key in some]), strict=True))
        # Other threads may do the same meanwhile: a table is left for a new one, and never emptied.
        if len(known) + len(fresh) > _REMEMBERED:
            self._known = dict(fresh)
        else:
            known.update(fresh)
        return [fresh[key] if key in fresh else known[key] for key in keys]


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class Looked:
    """Sources as texts to look at; ``places`` are the numbers of the texts of each source, its own first."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = sources
        self.texts: list[Seen] = []
        self.places: list[list[int]] = []
        for source in sources:
            self.places.append([])
            if source.strings is None:
                self._add(Seen(source.text, source.places, source.name, source.foreign))
                continue
            if source.whole:
                self._add(Seen(source.text, source.places, source.name, source.foreign, scanned="secrets"))
            for stretch in source.strings:
                self._add(_string(source, stretch))

    def _add(self, seen: Seen) -> None:
        self.places[-1].append(len(self.texts))
        self.texts.append(seen)


def _string(source: Source, stretch: Stretch) -> Seen:
    if source.whole:
        escaped = stretch.end - stretch.start != len(stretch.value)
        scanned: Literal["all", "others"] = "all" if escaped else "others"
        return Seen(stretch.value, source.places, source.name, source.foreign, judged=False, scanned=scanned)
    if source.path != ("body",):
        return Seen(stretch.value, source.places, source.name, source.foreign, judged=" " in stretch.value)
    places = ("retrieved", "input") if stretch.field == "documents" else source.places
    judged = stretch.field in _TEXTS or " " in stretch.value
    return Seen(stretch.value, places, stretch.field, judged=judged)


def windows(text: str, size: int) -> list[tuple[int, str]]:
    """Return the pieces of ``text`` that are judged, each with its start: as few as may be, evenly apart, a tenth or
    more of each is in the next too."""
    if len(text) <= size:
        return [(0, text)] if text.strip() else []
    last = len(text) - size
    count = -(-last // (size - size // 10))
    starts = [last * number // count for number in range(count + 1)]
    return [(start, text[start : start + size]) for start in starts if text[start : start + size].strip()]


def place_of(rail: Rail, text: Seen) -> Place | None:
    """Return as what a rail looks at a text; None where it does not."""
    if (rail.what == "novelty") != text.asked or (rail.what in _FOREIGN and not text.foreign):
        return None
    if text.pictured and not rail.images:
        return None
    if rail.judge is not None:
        if not text.judged:
            return None
    elif text.scanned != "all" and (text.scanned == "secrets") != (rail.what == "secrets"):
        return None
    return next((place for place in text.places if place in rail.where), None)


async def scan_all(rails: Sequence[Rail], texts: Sequence[Seen], trace: Trace, sight: Sight) -> None:
    """Have all rails with a scanner look at ``texts``."""
    shared: dict[tuple[int, int], Sequence[Finding]] = {}
    for number, rail in enumerate(rails):
        scanner = rail.scanner
        if scanner is None:
            continue
        for index, text in enumerate(texts):
            place = place_of(rail, text)
            if place is None or not text.text:
                continue
            began = monotonic()
            try:
                found = shared.get((id(scanner), index))
                if found is None:
                    if len(text.text) > _LONG:
                        found = await _aside(scanner.scan, text.text, len(text.text))
                    else:
                        found = scanner.scan(text.text)
                    shared[id(scanner), index] = found
                counted = rail.counted(found)
            except Exception:  # noqa: BLE001  # whatever broke in a scanner, the rail's own policy says what follows
                _fail(number, rail, place, trace, sight)
                break
            trace.looked(rail, place, monotonic() - began)
            if counted:
                sight.add(number, index, counted)
                for finding in counted:
                    trace.found(rail, place, finding, text.name)


async def judge_all(
    rails: Sequence[Rail], numbers: Sequence[int], texts: Sequence[Seen], trace: Trace, sight: Sight
) -> None:
    """Have the rails with these ``numbers``, which have judges, look at ``texts``; each judge reads a text once."""
    by_judge: dict[int, list[int]] = {}
    for number in numbers:
        by_judge.setdefault(id(rails[number].judge), []).append(number)
    async with asyncio.TaskGroup() as group:
        for those in by_judge.values():
            group.create_task(_judge(rails, those, texts, trace, sight))


async def _judge(
    rails: Sequence[Rail], numbers: Sequence[int], texts: Sequence[Seen], trace: Trace, sight: Sight
) -> None:
    judge = rails[numbers[0]].judge
    assert judge is not None
    pieces = [
        (index, start, piece)
        for index, text in enumerate(texts)
        if any(place_of(rails[number], text) is not None for number in numbers)
        for start, piece in windows(text.text, judge.window)
    ]
    if not pieces:
        return
    began = monotonic()
    words = [piece for _, _, piece in pieces]
    try:
        known = judge.remembered(words) if isinstance(judge, Memory) else None
        judged = await _judged(judge, words) if known is None else known
    except Exception:  # noqa: BLE001  # whatever broke in a judge, the rail's own policy says what follows
        for number in numbers:
            for place in {place_of(rails[number], texts[index]) for index, _, _ in pieces} - {None}:
                assert place is not None
                _fail(number, rails[number], place, trace, sight)
        return
    seconds = monotonic() - began
    for number in numbers:
        rail = rails[number]
        seen: set[Place] = set()
        for (index, start, piece), heads in zip(pieces, judged, strict=True):
            place = place_of(rail, texts[index])
            if place is None:
                continue
            trace.looked(rail, place, 0.0 if place in seen else seconds)
            seen.add(place)
            for head, value in rail.over(heads).items():
                finding = Finding(start, start + len(piece), head, value)
                sight.add(number, index, (finding,))
                trace.found(rail, place, finding, texts[index].name)


async def _judged(judge: Judge, words: Sequence[str]) -> Sequence[Mapping[str, float]]:
    """Return the verdicts on ``words``, several of which are judged at a time: a model leaves other threads alone."""
    size, count = sum(map(len, words)), min(_ABREAST, len(words))
    parts = await asyncio.gather(*(_aside(judge.judge, words[first::count], size) for first in range(count)))
    found: list[Mapping[str, float]] = [{}] * len(words)
    for first, part in enumerate(parts):
        found[first::count] = part
    return found


def _fail(number: int, rail: Rail, place: Place, trace: Trace, sight: Sight) -> None:
    trace.failed(rail, place)
    if number not in sight.failed:
        sight.failed.append(number)


async def _aside(look: Callable[[_Given], _Found], what: _Given, size: int) -> _Found:
    """Return ``look(what)`` from a thread; it has a time that grows with the ``size`` in characters."""
    async with asyncio.timeout(_PATIENCE + _EACH * size / 1000):
        return await asyncio.to_thread(look, what)
