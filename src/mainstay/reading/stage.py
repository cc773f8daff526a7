"""The line's step that reads what a model cannot: text in images and documents, words in recordings.

Goes along with the call as an adapter: only when a model was chosen is it known what it cannot take. Where no model of
the route can take a part, it is read before one is chosen, so that no place at an upstream is held meanwhile. Every
part is read once for a call, however many models are tried.
"""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from mainstay.core.answer import Answer
from mainstay.core.call import Call
from mainstay.core.clock import monotonic, since_ms
from mainstay.core.errors import Unreadable
from mainstay.core.ports import Transcriber
from mainstay.core.prompt import AudioPart, DocumentPart, ImagePart, Prompt, TextPart
from mainstay.core.stage import Onward
from mainstay.core.target import TALKS, Feature, Target
from mainstay.reading.config import ModalitiesConfig
from mainstay.reading.fetch import Fetcher
from mainstay.reading.null import NullTranscriber
from mainstay.reading.parts import Readable, describe, feature_of, inline, locate, substitute
from mainstay.reading.port import Limits, Reader, Text, Work
from mainstay.reading.sniff import AUDIO, sniff

__all__ = ["Read", "Rule", "reading_rule"]

_READABLE: Final = frozenset({Feature.IMAGES, Feature.DOCUMENTS, Feature.AUDIO})
#: Parts of one request that are read at a time.
_AT_ONCE: Final = 4


class Rule(msgspec.Struct, frozen=True):
    """What a route reads; see :class:`~mainstay.reading.config.ModalitiesConfig`. ``size`` is in bytes."""

    features: frozenset[Feature]
    limits: Limits = Limits()
    size: int = 20 * 1024 * 1024
    parts: int = 20
    timeout: float = 60.0


class Read:
    """Reads for models what they cannot take.

    Args:
        rule: what the route reads.
        targets: the route's models, its fallbacks among them.
        reader: reads files.
        transcriber: hears recordings.
        fetcher: fetches files that requests name by address; None: they are refused.
    """

    def __init__(
        self,
        rule: Rule,
        targets: Sequence[Target],
        reader: Reader,
        transcriber: Transcriber | None = None,
        fetcher: Fetcher | None = None,
    ) -> None:
        #: What no model of the route can take.
        self._always = rule.features.intersection(*(target.lacks for target in targets))
        if transcriber is None and Feature.AUDIO not in self._always:
            # A model that hears is better than the advice to name one that writes down.
            rule = replace(rule, features=rule.features - {Feature.AUDIO})
        self._rule = rule
        self._reader = reader
        self._transcriber = transcriber or NullTranscriber()
        self._fetcher = fetcher

    def __call__(self, call: Call, onward: Onward) -> Awaitable[Answer]:
        ask = call.ask
        if ask.operation not in TALKS or not ask.features & self._rule.features:
            return onward(call)
        return self._prepare(call, onward)

    async def _prepare(self, call: Call, onward: Onward) -> Answer:
        reading = _Reading(call, self._rule, self._reader, self._transcriber, self._fetcher)
        if not reading.features:
            return await onward(call)
        if reading.features & self._always:
            await reading.read(reading.features & self._always)
        ask = call.ask
        # Before those of the steps above, which look at what was read.
        adapted = replace(ask, adapters=(reading.adapt, *ask.adapters), spared=ask.spared | reading.features)
        return await onward(replace(call, ask=adapted))


class _Reading:
    """The parts of one call, and what was read of them so far."""

    def __init__(
        self, call: Call, rule: Rule, reader: Reader, transcriber: Transcriber, fetcher: Fetcher | None
    ) -> None:
        self._call = call
        self._rule = rule
        self._reader = reader
        self._transcriber = transcriber
        self._fetcher = fetcher
        # By identity: an equal part elsewhere has a path of its own. The parts are held, so no identity comes again.
        self._parts: dict[int, tuple[str, Readable]] = {}
        for path, part in locate(call.ask.prompt, call.ask.dialect, call.ask):
            if feature_of(part) in rule.features:
                self._parts[id(part)] = (path, part)
        self.features = frozenset(feature_of(part) for _, part in self._parts.values())
        if "modalities" in call.ask.prompt.extra:
            # An answer in sound may be asked for: that nobody does for the model.
            self.features -= {Feature.AUDIO}
        self._texts: dict[int, TextPart] = {}
        self._lock = asyncio.Lock()

    async def adapt(self, prompt: Prompt, target: Target) -> Prompt:
        """Return ``prompt`` with what ``target`` cannot take replaced by what was read of it."""
        lacking = target.lacks & self.features
        if not lacking:
            return prompt
        await self.read(lacking)
        wanted = {key: text for key, text in self._texts.items() if feature_of(self._parts[key][1]) in lacking}
        return substitute(prompt, wanted)

    async def read(self, features: frozenset[Feature]) -> None:
        """Read every part of these features that was not read yet.

        Raises:
            Unreadable: one cannot be read; ``param`` names it.
        """
        # Two copies of a hedged call need the same parts.
        async with self._lock:
            left = [
                key for key, (_, part) in self._parts.items() if key not in self._texts and feature_of(part) in features
            ]
            if len(left) + len(self._texts) > self._rule.parts:
                raise Unreadable(
                    f"The request has more than the {self._rule.parts} files that this route reads; send fewer.",
                    param="input" if not left else self._parts[left[-1]][0],
                )
            room = asyncio.Semaphore(_AT_ONCE)
            try:
                async with asyncio.TaskGroup() as group:
                    for key in left:
                        group.create_task(self._read_one(key, room))
            except BaseExceptionGroup as errors:
                raise _first(errors) from None

    async def _read_one(self, key: int, room: asyncio.Semaphore) -> None:
        path, part = self._parts[key]
        async with room:
            started = monotonic()
            try:
                read = await self._say(part, path)
            except Unreadable as error:
                self._note(path, "failed", started)
                raise Unreadable(f"'{path}' {error.message}.", param=path) from None
            self._note(
                path, read.how, started, f"{read.pages} pages" if read.pages else "", f"{len(read.text)} characters"
            )
            self._texts[key] = describe(part, read)

    async def _say(self, part: Readable, path: str) -> Text:
        limit = self._rule.size
        data = inline(part, limit)
        if data is None:
            data = await self._fetched(part, path, limit)
        seconds = min(self._rule.timeout, self._call.deadline - monotonic())
        if isinstance(part, AudioPart):
            return await self._heard(part, data, seconds)
        kind = "image" if isinstance(part, ImagePart) else "document"
        name = part.name if isinstance(part, DocumentPart) else ""
        ocr = Feature.IMAGES in self._rule.features
        work = Work(kind, data, part.media_type[:200], name[:200], self._rule.limits, ocr)  # type: ignore[arg-type]  # one of the two
        return await self._reader.read(work, seconds)

    async def _fetched(self, part: Readable, path: str, limit: int) -> bytes:
        url = getattr(part, "url", "")
        if not url:
            raise Unreadable("holds no file, or names one that only its vendor has; send the file itself, in base64")
        if self._fetcher is None:
            raise Unreadable("gives an address, and this route fetches none; send the file itself, in base64")
        started = monotonic()
        data = await self._fetcher.fetch(url, "image" if isinstance(part, ImagePart) else "document", limit)
        self._note(path, "fetched", started, f"{len(data)} bytes")
        return data

    async def _heard(self, part: AudioPart, data: bytes, seconds: float) -> Text:
        kind = sniff(data)
        if kind not in AUDIO:
            raise Unreadable("is no recording of a kind that is heard: send wav or mp3")
        try:
            async with asyncio.timeout(seconds):
                text = await self._transcriber.transcribe(self._call, data, kind)
        except TimeoutError:
            raise Unreadable(f"takes longer than the {seconds:g} s that hearing may take; send a shorter one") from None
        if len(text) > self._rule.limits.characters:
            raise Unreadable("has more words than this route takes; send a shorter one")
        return Text(text, "transcription")

    def _note(self, path: str, how: str, started: float, *facts: str) -> None:
        """Add a step to the record: where, what, how long and how much, never what was read."""
        record = self._call.record
        step = " ".join((path, how, f"{since_ms(started):.0f} ms", *(fact for fact in facts if fact)))
        record.steps = f"{record.steps}; {step}" if record.steps else step


def _first(error: BaseException) -> BaseException:
    """Return what went wrong first; the parts after it were given up."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def reading_rule(config: ModalitiesConfig) -> Rule:
    """Return what a route's configuration says as the step wants it."""
    # Audio is always read, if only to say in clear words that there is no model for it.
    wanted: Mapping[Feature, bool] = {Feature.IMAGES: config.images, Feature.DOCUMENTS: config.documents}
    features = frozenset(feature for feature, on in wanted.items() if on) | {Feature.AUDIO}
    limits = config.limits
    return Rule(
        features,
        Limits(limits.pages, limits.pixels, limits.characters),
        limits.size,
        limits.parts,
        limits.timeout,
    )
