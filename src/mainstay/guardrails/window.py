"""A text that comes in pieces, let go only as far as what is found in it is final.

The verdict on a stream is the verdict on the whole, however it was cut: what looks at the text reaches a bounded way,
so a piece leaves once nothing that may still come can change what was found in it, and a part of the text is looked at
a bounded number of times. Pure; it knows neither rails nor events, and does what its watches say with what they find.
"""

import heapq
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from mainstay.guardrails.port import Finding
from mainstay.guardrails.rails import mask_for
from mainstay.guardrails.restore import Restorer
from mainstay.guardrails.watches import Blocks, Known, More, Plain, Spelling, Watch

__all__ = ["STEP", "Returning", "Window"]

#: Characters that come together before they are looked at, once a text is under way; fewer cost more.
STEP: Final = 64
#: The same at a text's beginning, so that its first words leave at once.
_FIRST: Final = 4


class Window:
    """One text of one answer: :meth:`feed` its pieces, :meth:`close` it, and :meth:`take` what may leave.

    Args:
        watches: what looks at it; of findings in one place that of the first stands.
        masks: whether what a watch with this number found is masked; that of a watch that does not hold never is.
        spelling: how what leaves is written.
        known: gives what knows the pseudonyms by now, which are given back. What consists of them is no finding.
        offset: characters of the text that came before this window; findings are counted from there.
    """

    __slots__ = (
        "_all", "_base", "_blocks", "_due", "_end", "_found", "_gone", "_holding", "_keep", "_known",
        "_looked", "_masked", "_masks", "_new", "_offset", "_quiet", "_released", "_spelling", "_step", "_text",
        "_watches", "changed", "closed", "due",
    )  # fmt: skip

    def __init__(
        self,
        watches: Sequence[Watch],
        blocks: Sequence[Blocks] = (),
        *,
        masks: Callable[[int, Finding], bool] | None = None,
        spelling: Spelling | None = None,
        known: Callable[[], Restorer] | None = None,
        offset: int = 0,
        step: int = STEP,
    ) -> None:
        both: tuple[Watch | Blocks, ...] = (*watches, *blocks)
        self._watches, self._blocks, self._all = tuple(watches), tuple(blocks), both
        self._holding = tuple(one for one in both if one.holds)
        self._quiet = tuple(one for one in both if not one.holds)
        self._masks = masks
        self._spelling: Spelling = Plain() if spelling is None else spelling
        self._known = None if known is None else Known(known)
        self._keep = max((one.reach for one in both), default=0)
        self._offset = offset
        self._step = step
        self._due = _FIRST if self._step <= STEP else self._step
        #: The text from ``_base`` on, as far as it still matters, and what came since it was last looked at.
        self._text, self._base, self._end, self._looked = "", 0, 0, 0
        self._new: list[str] = []
        self._found: list[tuple[int, int, int, Finding]] = []
        #: Up to where the text has left, up to where it is written or replaced, and whether it was masked there.
        self._released, self._gone, self._masked = 0, 0, False
        #: What is to be judged before more may leave, by the number of the watch; :meth:`judged` gives the answer.
        self.due: list[tuple[int, list[tuple[int, str]]]] = []
        self.changed = False
        self.closed = False

    @property
    def length(self) -> int:
        """Characters so far."""
        return self._end

    @property
    def held(self) -> int:
        """Characters that have not left."""
        return self._end - self._released

    def feed(self, text: str) -> bool:
        """Take more of the text; return whether it was looked at, so that something may leave."""
        self._new.append(text)
        self._end += len(text)
        if self._end - self._looked < self._due:
            return False
        self._due = max(self._due, min(self._step, self._end // 2))
        self._read(last=False)
        return True

    def close(self) -> None:
        """The text is over."""
        if not self.closed:
            self.closed = True
            if self._end:
                self._read(last=True)

    def judged(self, number: int, heads: Sequence[str]) -> None:
        """Take the answer to what was ``due`` of one watch: for each text the head that stands against it, or ""."""
        for one in self._blocks:
            if one.number == number:
                one.judged(heads)
                self._gather(one)

    def take(self) -> tuple[list[tuple[int, Finding]], str]:
        """Return what was found, by the number of its watch, and the text that may leave after it."""
        known = self._known
        sure = self._end if known is None or self.closed else known.final
        noted: list[tuple[int, Finding]] = []
        for one in self._quiet:
            while one.found and one.found[0].end <= sure:
                self._note(one.found.pop(0), one.number, noted)
        cut = sure
        for watch in self._holding:
            cut = min(cut, watch.final)
        masks: list[tuple[int, int, Finding]] = []
        while self._found and self._found[0][0] < cut:
            start, number, end, finding = self._found[0]
            if end > sure:
                # Whether it is a pseudonym is not known yet.
                cut = start
                break
            heapq.heappop(self._found)
            if self._note(finding, number, noted) and self._masks is not None and self._masks(number, finding):
                masks.append((start, end, finding))
        out = self._write(masks, max(cut, self._released))
        return noted, out + self._spelling.close() if self.closed and self._released >= self._end else out

    def _read(self, *, last: bool) -> None:
        keep = min([one.final for one in self._all], default=self._end)
        known = self._known
        if known is not None:
            keep = min(keep, known.final)
        drop = max(0, min(keep - self._keep, self._released) - self._base)
        self._text = text = "".join((self._text[drop:], *self._new))
        self._base = base = self._base + drop
        self._new = []
        self._looked = self._end
        if known is not None:
            known.read(text, base, last=last)
            if known.spans:
                known.spans = [span for span in known.spans if span[1] > base]
        for watch in self._watches:
            watch.read(text, base, last=last)
            if watch.holds:
                self._gather(watch)
        for block in self._blocks:
            if texts := block.due(text, base, last=last):
                self.due.append((block.number, [(start + self._offset, part) for start, part in texts]))

    def _gather(self, watch: Watch | Blocks) -> None:
        for one in watch.found:
            heapq.heappush(self._found, (one.start, watch.number, one.end, one))
        watch.found.clear()

    def _note(self, finding: Finding, number: int, noted: list[tuple[int, Finding]]) -> bool:
        known = self._known
        if known is not None and known.spans:
            low = finding.start - self._base
            if known.cover(self._text[max(0, low) : finding.end - self._base], finding.start, finding.end):
                return False
        if isinstance(finding, More):
            return True
        offset = self._offset
        noted.append(
            (number, Finding(finding.start + offset, finding.end + offset, finding.kind, finding.score, finding.rule))
            if offset
            else (number, finding)
        )
        return True

    def _write(self, masks: Sequence[tuple[int, int, Finding]], cut: int) -> str:
        """Return what leaves up to ``cut``: the text, labels for what is masked, values for pseudonyms."""
        out: list[str] = []
        spelling = self._spelling
        for start, end, value, finding in self._changes(masks, cut):
            at = self._gone
            if finding is None and start < at:
                # Part of it is masked: so is the rest.
                if end > at:
                    out.append(spelling.mask(self._slice(at, end), "", fresh=False))
                    self._gone = end
                continue
            if end <= at:
                continue
            if start > at:
                out.append(spelling.keep(self._slice(at, start)))
                at = start
            self.changed = True
            if finding is None:
                out.append(spelling.swap(self._slice(at, end), value))
                self._masked = False
            else:
                fresh = not self._masked or (start >= at and not isinstance(finding, More))
                out.append(spelling.mask(self._slice(at, end), mask_for(finding.kind), fresh=fresh))
                self._masked = True
            self._gone = end
        if cut > self._gone:
            out.append(spelling.keep(self._slice(self._gone, cut)))
            self._gone, self._masked = cut, False
        self._released = max(cut, self._released)
        return "".join(out)

    def _changes(
        self, masks: Sequence[tuple[int, int, Finding]], cut: int
    ) -> Iterator[tuple[int, int, str, Finding | None]]:
        known = self._known
        if known is None or not known.spans:
            return ((start, end, "", finding) for start, end, finding in masks)
        merged: list[tuple[int, int, int, str, Finding | None]] = [
            (start, 0, end, "", finding) for start, end, finding in masks
        ]
        for start, end, value in known.spans[bisect_left(known.spans, (self._released,)) :]:
            if start >= cut:
                break
            merged.append((start, 1, end, value, None))
        merged.sort(key=lambda one: one[:2])
        return ((start, end, value, finding) for start, _, end, value, finding in merged)

    def _slice(self, start: int, end: int) -> str:
        return self._text[start - self._base : end - self._base]


class Returning:
    """A text that nobody looks at, in which pseudonyms are given back; used as a :class:`Window` is."""

    __slots__ = ("_make", "_mapping", "_out", "_restorer", "_size", "changed", "closed", "length")

    #: Nobody judges it.
    due: Sequence[object] = ()

    def __init__(self, make: Callable[[], Restorer], mapping: Mapping[str, str]) -> None:
        self._make, self._mapping = make, mapping
        self._restorer, self._size = make(), len(mapping)
        self._out = ""
        #: Characters so far.
        self.length = 0
        self.changed = False
        self.closed = False

    @property
    def held(self) -> int:
        """Characters that have not left."""
        return self._restorer.held

    def feed(self, text: str) -> bool:
        """See :meth:`Window.feed`."""
        self.length += len(text)
        if len(self._mapping) != self._size:
            # There are more pseudonyms now, and what was held back may begin one of them.
            text = self._restorer.stop() + text
            self._restorer, self._size = self._make(), len(self._mapping)
        self._out += self._restorer.feed(text)
        return True

    def close(self) -> None:
        """See :meth:`Window.close`."""
        if not self.closed:
            self.closed = True
            self._out += self._restorer.close()

    def take(self) -> tuple[Sequence[tuple[int, Finding]], str]:
        """See :meth:`Window.take`."""
        out, self._out = self._out, ""
        self.changed |= self._restorer.restored > 0
        return (), out
