"""One text of one answer: a run of what a model says, its reasoning, a refusal, the arguments of one call.

Knows events only as what brings a text and is made of it again; what looks at it is the lookout's.
"""

from collections.abc import Callable, Iterator, Sequence

from mainstay.core.events import Event
from mainstay.guardrails.jsontext import JsonText
from mainstay.guardrails.lookout import Lookout
from mainstay.guardrails.window import Returning, Window

__all__ = ["Channel"]


class Channel:
    """One text of an answer: :meth:`add` its pieces; while it :attr:`waits`, :meth:`ask`; :meth:`take` what may leave.

    Args:
        lookout: what looks.
        place: names it on the record.
        make: makes an event of a piece.
        json: it is JSON.
        offset: characters that came before at this place.
        whole: it is all there: give back its own events where nothing has changed, and one where something has.
    """

    __slots__ = (
        "_events", "_json", "_lookout", "_make", "_marks", "_offset", "_only", "_out", "_place", "_ready",
        "_spelling", "_whole", "_windows", "changed",
    )  # fmt: skip

    def __init__(
        self, lookout: Lookout, place: str, make: Callable[[str], Event], *, json: bool, offset: int, whole: bool
    ) -> None:
        self._lookout = lookout
        self._place = place
        self._make = make
        #: Without rails there is nothing to read in it, only pseudonyms to find.
        self._spelling = JsonText() if json and lookout.looks else None
        self._json = json
        self._offset = offset
        self._whole = whole
        self._windows = [self._new_window()]
        self._events: list[Event] = []
        self._out: list[str] = []
        #: Events among the text, each with the characters before it.
        self._marks: list[tuple[int, Event]] = []
        #: The event that brought all that has not left, and its text.
        self._only: tuple[Event, str] | None = None
        self._ready = False
        #: Whether anything has left otherwise than it came.
        self.changed = False

    @property
    def length(self) -> int:
        """Characters so far at this place."""
        return self._offset + self._windows[-1].length

    @property
    def waits(self) -> bool:
        """Whether a judge must be asked before more may leave."""
        windows = self._windows
        return bool(windows[-1].due) or (len(windows) > 1 and any(window.due for window in windows))

    def add(self, event: Event | None, text: str) -> None:
        """Take more of the text, as ``event`` brought it; None where it did before."""
        if event is not None and self._whole:
            self._events.append(event)
        self._only = (event, text) if event is not None and not self._holding() else None
        if self._spelling is None:
            self._ready |= self._windows[-1].feed(text)
            return
        *ended, rest = self._spelling.read(text)
        for part in ended:
            self._windows[-1].feed(part)
            self._windows[-1].close()
            self._offset += self._windows[-1].length
            self._windows.append(self._new_window())
            self._ready = True
        if rest:
            self._ready |= self._windows[-1].feed(rest)

    def mark(self, event: Event) -> bool:
        """Keep the place of an event among the text; return False where it may leave at once."""
        if self._whole:
            self._events.append(event)
        elif self._holding():
            self._marks.append((self.length, event))
        else:
            return False
        return True

    def close(self) -> None:
        """The text is over."""
        if self._spelling is not None and (rest := self._spelling.finish()):
            self._windows[-1].feed(rest)
        self._windows[-1].close()
        self._ready = True

    async def ask(self) -> None:
        """Have judged what is due; see :meth:`Lookout.ask`."""
        for window in self._windows:
            if window.due and isinstance(window, Window):
                await self._lookout.ask(window, self._place)

    def take(self) -> Sequence[Event]:
        """Return what may leave.

        Raises:
            ContentBlocked: a rail lets it not pass.
        """
        if not self._ready:
            return ()
        self._ready = False
        out: list[str] = []
        while True:
            window = self._windows[0]
            noted, text = window.take()
            if noted:
                self._lookout.note(noted, self._place)
            out.append(text)
            self.changed |= window.changed
            if len(self._windows) == 1 or window.held:
                break
            del self._windows[0]
        said = "".join(out)
        if self._whole:
            return self._all(said, closed=window.closed)
        return self._passed(said)

    def _passed(self, said: str) -> Sequence[Event]:
        only, self._only = self._only, None
        if only is not None and only[1] == said and not self._holding():
            return (only[0], *self._marked())
        if not said:
            return tuple(self._marked())
        return (self._make(said), *self._marked())

    def _marked(self) -> Iterator[Event]:
        if self._marks:
            left = self.length - sum(window.held for window in self._windows)
            while self._marks and self._marks[0][0] <= left:
                yield self._marks.pop(0)[1]

    def _all(self, said: str, *, closed: bool) -> Sequence[Event]:
        self._out.append(said)
        if not closed:
            return ()
        if not self.changed:
            return self._events
        own = type(self._make(""))
        return (self._make("".join(self._out)), *(event for event in self._events if not isinstance(event, own)))

    def _new_window(self) -> Window | Returning:
        if not self._lookout.looks:
            return self._lookout.returning(json=self._json)
        return self._lookout.window(self._place, self._spelling, self._offset, whole=self._whole)

    def _holding(self) -> bool:
        windows = self._windows
        return windows[0].held > 0 or len(windows) > 1 or (self._spelling is not None and self._spelling.held)
