"""Verdicts in the form of ``/v1/moderations``, from our own guards: for a route that asks no vendor.

It knows no wire: it takes texts and pictures and returns what stands under ``results``. Judging runs in one thread of
its own, a few windows at a time, so that it never keeps a worker's other calls waiting and stops when its caller left.
"""

import asyncio
import base64
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from mainstay.core.errors import StartError, Unavailable, Unreadable
from mainstay.core.ports import Material
from mainstay.encoders.minilm import is_installed
from mainstay.guardrails import opennsfw
from mainstay.guardrails.models import MISSING, Guard, open_guard

__all__ = ["CATEGORIES", "Assessing", "Look", "Moderator"]

#: Our heads by the wire's categories, and one that the wire has not: most of what it holds is merely rude.
CATEGORIES: Final = {
    "harassment": "harassment",
    "harassment/threatening": "threat",
    "hate": "hate",
    "illicit": "illicit",
    "self-harm": "self_harm",
    "sexual": "sexual",
    "violence": "violence",
    "profanity": "profanity",
}
#: Categories of the wire that we do not tell apart: never flagged, and said to have been applied to nothing.
_UNJUDGED: Final = (
    "hate/threatening",
    "illicit/violent",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual/minors",
    "violence/graphic",
)
#: What pictures are judged for by what they show; for all else by the words in them.
_SHOWN: Final = "sexual"
#: Characters that two windows of a long text have in common: a phrase on a border is whole in one of them.
_OVERLAP: Final = 60
#: Windows judged in one go, before others have their turn: about a tenth of a second.
_TOGETHER: Final = 16

_T = TypeVar("_T")
#: Takes the bytes of an image and the seconds there are; returns its words, or its pixels in base64.
Look = Callable[[bytes, float], Awaitable[str]]


class Moderator:
    """Judges texts; ``thresholds`` by category take the place of the guards' own, and None there means never.

    Raises:
        StartError: a package is missing, or the weights are not the ones that are known.
    """

    def __init__(self, thresholds: Mapping[str, float | None] | None = None) -> None:
        self.guards: Sequence[Guard] = (open_guard("moderation"), open_guard("profanity"))
        own = {head: limit for guard in self.guards for head, limit in guard.thresholds.items()}
        self._limits: dict[str, float | None] = {name: own[head] for name, head in CATEGORIES.items()}
        self._limits |= thresholds or {}

    def moderate(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        """Return ``flagged``, ``categories`` and the like for each text; of a long text its worst window."""
        found = []
        for text in texts:
            heads: dict[str, float] = {}
            for guard in self.guards:
                for row in guard.judge(list(_windows(text, guard.window))):
                    _raise(heads, row)
            found.append(self.verdict(heads, self._limits, texts=True))
        return found

    def verdict(
        self,
        heads: Mapping[str, float],
        thresholds: Mapping[str, float | None],
        shown: Sequence[float] = (),
        *,
        texts: bool,
        images: bool = False,
    ) -> dict[str, Any]:
        """Return a verdict in the wire's form.

        Args:
            heads: the worst probability of each head, none where there was no text.
            thresholds: in place of the usual ones.
            shown: scores of what pictures show.
            texts: whether there were texts.
            images: whether words in images were among what was judged.
        """
        limits = self._limits | dict(thresholds)
        scores = {name: heads.get(head, 0.0) for name, head in CATEGORIES.items()}
        flags = {name: _over(score, limits[name]) for name, score in scores.items()}
        if shown:
            # A score of a picture is no probability: where nobody says otherwise, its authors' own limit holds.
            limit = thresholds.get(_SHOWN, opennsfw.SURE)
            flags[_SHOWN] |= _over(max(shown), limit)
            scores[_SHOWN] = max(scores[_SHOWN], *shown)
        kinds = [kind for kind, there in (("text", texts), ("image", images)) if there]
        applied = dict.fromkeys(CATEGORIES, kinds) | {_SHOWN: kinds if images or not shown else [*kinds, "image"]}
        return {
            "flagged": any(flags.values()),
            "categories": flags | dict.fromkeys(_UNJUDGED, False),
            "category_scores": scores | dict.fromkeys(_UNJUDGED, 0.0),
            "category_applied_input_types": applied | {name: [] for name in _UNJUDGED},
        }


class Assessing:
    """See :class:`~mainstay.core.ports.Assessor`. Nothing is loaded before the first call. One event loop only.

    Args:
        pixels: opens an image; None where nothing does.
        words: reads the words in an image; None where nothing does.
    """

    def __init__(self, pixels: Look | None = None, words: Look | None = None) -> None:
        self._pixels = pixels if opennsfw.is_installed() else None
        self._words = words
        self._pool: ThreadPoolExecutor | None = None
        self._moderator: Moderator | None = None

    async def assess(
        self, inputs: Sequence[Material], thresholds: Mapping[str, float | None], seconds: float
    ) -> list[dict[str, Any]]:
        """Return a verdict for each input."""
        moderator = await self._ready()
        shown = [[await self._shown(image, seconds) for image in one.images] for one in inputs]
        read = [[await self._read(image, seconds) for image in one.images] for one in inputs]
        texts = [(*one.texts, *(text for text in own if text)) for one, own in zip(inputs, read, strict=True)]
        heads: list[dict[str, float]] = [{} for _ in inputs]
        for guard in moderator.guards:
            size = guard.window
            cut = [(at, piece) for at, own in enumerate(texts) for text in own for piece in _windows(text, size)]
            for start in range(0, len(cut), _TOGETHER):
                some = cut[start : start + _TOGETHER]
                rows = await self._run(guard.judge, [piece for _, piece in some])
                for (at, _), row in zip(some, rows, strict=True):
                    _raise(heads[at], row)
        words = self._words is not None
        return [
            moderator.verdict(
                heads[at],
                thresholds,
                [score for score in shown[at] if score is not None],
                texts=bool(one.texts),
                images=bool(one.images) and words,
            )
            for at, one in enumerate(inputs)
        ]

    async def _ready(self) -> Moderator:
        if self._moderator is None:
            if not is_installed():
                raise Unavailable(f"Moderation {MISSING}.")
            try:
                self._moderator = await self._run(Moderator)
            except StartError as error:
                raise Unavailable(error.message) from None
        return self._moderator

    async def _shown(self, image: bytes, seconds: float) -> float | None:
        if self._pixels is None and self._words is None:
            raise Unreadable("cannot be looked at here: pip install 'mainstay[guards,modalities]'")
        if self._pixels is None:
            return None
        pixels = base64.b64decode(await self._pixels(image, seconds))
        try:
            return (await self._run(lambda: opennsfw.open_sight().judge([pixels])))[0]
        except StartError as error:
            raise Unavailable(error.message) from None

    async def _read(self, image: bytes, seconds: float) -> str:
        return await self._words(image, seconds) if self._words is not None else ""

    async def _run(self, work: Callable[..., _T], *given: object) -> _T:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="guards")
        return await asyncio.wrap_future(self._pool.submit(work, *given))

    def close(self) -> None:
        """Judge nothing any more; what is being judged ends by itself."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None


def _windows(text: str, size: int) -> Iterator[str]:
    """Yield the windows of a text, which overlap; one, which may be empty, of a short text."""
    yield text[:size]
    for start in range(size - _OVERLAP, len(text) - _OVERLAP, size - _OVERLAP):
        yield text[start : start + size]


def _raise(heads: dict[str, float], row: Mapping[str, float]) -> None:
    for head, value in row.items():
        heads[head] = max(value, heads.get(head, 0.0))


def _over(score: float, limit: float | None) -> bool:
    return limit is not None and score >= limit
