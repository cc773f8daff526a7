"""Going on after a break: what was delivered of an answer, and whether another one says the same so far.

A stream broke after the caller had text. Asked again, a model at temperature 0 may write the same answer; only past an
exact match of everything delivered may the rest be handed on. Pure; the stage does the asking.
"""

from collections.abc import Sequence

from mainstay.core.events import (
    ClaimEnded,
    Event,
    Finished,
    Frame,
    Metered,
    Opaque,
    Started,
    TextDelta,
    ThinkingDelta,
)

__all__ = ["CatchUp", "Delivered", "Differs"]

#: Kind of text and choice.
_Key = tuple[type[Event], int]
#: Events that say nothing of the content.
_NEUTRAL = (Started, Metered, Opaque, ClaimEnded)


class Differs(Exception):
    """The new answer is not the one that was delivered."""


class Delivered:
    """What the caller has of one answer, by choice and kind of text."""

    __slots__ = ("_parts", "plain", "size")

    def __init__(self) -> None:
        self._parts: dict[_Key, list[str]] = {}
        #: Whether all of it is text, so that it can be compared.
        self.plain = True
        #: Characters delivered.
        self.size = 0

    def add(self, frames: Sequence[Frame]) -> None:
        """Note ``frames`` as delivered."""
        for frame in frames:
            for event in frame.events:
                if isinstance(event, TextDelta | ThinkingDelta):
                    self._parts.setdefault((type(event), event.choice), []).append(event.text)
                    self.size += len(event.text)
                elif not isinstance(event, _NEUTRAL):
                    self.plain = False

    def texts(self) -> dict[_Key, str]:
        """Return what was delivered."""
        return {key: "".join(parts) for key, parts in self._parts.items()}


class CatchUp:
    """Holds a new answer against what was delivered, and lets through only what comes after it."""

    __slots__ = ("_owed",)

    def __init__(self, delivered: Delivered) -> None:
        self._owed = {key: text for key, text in delivered.texts().items() if text}

    def feed(self, frames: Sequence[Frame]) -> list[Frame]:
        """Return what of ``frames`` is new to the caller.

        Raises:
            Differs: it says something else, or ends before it said all that was delivered.
        """
        new: list[Frame] = []
        for frame in frames:
            events = [event for event in map(self._rest, frame.events) if event is not None]
            if events:
                new.append(Frame(tuple(events)))
        return new

    def close(self) -> None:
        """The new answer is complete. Raises ``Differs`` if it was shorter than what was delivered."""
        if self._owed:
            raise Differs

    def _rest(self, event: Event) -> Event | None:
        if isinstance(event, Started) or (self._owed and isinstance(event, Opaque | ClaimEnded)):
            return None
        if isinstance(event, TextDelta | ThinkingDelta):
            return self._text(event)
        if not self._owed or isinstance(event, Metered):
            return event
        # A tool, a refusal or an end where more of the same text was due.
        if isinstance(event, Finished) and not any(choice == event.choice for _, choice in self._owed):
            return event
        raise Differs

    def _text(self, event: TextDelta | ThinkingDelta) -> Event | None:
        if not event.text:
            return None
        key = (type(event), event.choice)
        owed = self._owed.get(key)
        if owed is None:
            return self._fresh(event)
        if len(event.text) < len(owed):
            if not owed.startswith(event.text):
                raise Differs
            self._owed[key] = owed[len(event.text) :]
            return None
        if not event.text.startswith(owed):
            raise Differs
        del self._owed[key]
        rest = event.text[len(owed) :]
        return self._fresh(type(event)(rest, event.choice)) if rest else None

    def _fresh(self, event: TextDelta | ThinkingDelta) -> Event:
        # More reasoning where the delivered answer went over to its text.
        if type(event) is ThinkingDelta and (TextDelta, event.choice) in self._owed:
            raise Differs
        return event
