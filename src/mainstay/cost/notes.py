"""What workers and the bank say to each other: values, and their bytes on a stream.

Each message is a length of four bytes and MessagePack. Both ends are of one release: they are forked from one parent.
"""

import msgspec

__all__ = ["KEPT_MS", "Ask", "Bye", "Give", "Grant", "Held", "Hello", "Level", "Note", "Notes", "Recall", "pack"]

#: Milliseconds after a bucket of money has ended for which a worker still tells what it holds of it: by then all that
#: it spent there is in the database.
KEPT_MS = 600_000


class Held(msgspec.Struct, frozen=True, array_like=True):
    """What a worker has of an account: what it was granted and has not given back, spent or not."""

    series: str
    unit: str
    limit: int
    pieces: int
    bucket: str
    start: int
    end: int
    amount: int


class Hello(msgspec.Struct, frozen=True, array_like=True, tag="hello"):
    """The first message of a worker: its name, which is new for each process, and what it has already."""

    holder: str
    held: tuple[Held, ...] = ()


class Ask(msgspec.Struct, frozen=True, array_like=True, tag="ask"):
    """A worker needs ``amount`` of an account and would like ``want``. ``number`` is repeated in the answer."""

    number: int
    series: str
    unit: str
    limit: int
    #: Buckets that count together, this one the last of them.
    pieces: int
    bucket: str
    #: Wall-clock ms.
    start: int
    end: int
    amount: int
    want: int
    #: The part of the limit whose use is worth an alert; 0 for none.
    soft: float = 0.0
    #: What is not hard is granted even where nothing is left.
    hard: bool = True


class Grant(msgspec.Struct, frozen=True, array_like=True, tag="grant"):
    """The answer: ``amount`` is 0 where there is not enough, and then ``retry_ms`` says when there may be more.

    ``left`` and ``used`` are the account's after it; ``used`` is what was spent or is held by anyone.
    """

    number: int
    amount: int
    left: int
    used: int
    retry_ms: int = 0
    #: Why nothing could be said, may be empty.
    fault: str = ""


class Give(msgspec.Struct, frozen=True, array_like=True, tag="give"):
    """A worker gives back what it does not need, or, below zero, tells what was spent beyond what it had.

    Then ``account`` describes it, for a bank that has not heard of it yet.
    """

    series: str
    bucket: str
    amount: int
    account: Held | None = None


class Recall(msgspec.Struct, frozen=True, array_like=True, tag="recall"):
    """The bank is short of an account: what a worker does not need of it now must come back."""

    series: str
    bucket: str


class Level(msgspec.Struct, frozen=True, array_like=True, tag="level"):
    """An account has risen above the part of its limit that is worth an alert, or fallen below."""

    series: str
    bucket: str
    above: bool


class Bye(msgspec.Struct, frozen=True, array_like=True, tag="bye"):
    """The last message of a worker that ends in order: all it has not given back is spent."""


Note = Hello | Ask | Grant | Give | Recall | Level | Bye

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Note).decode
_LONGEST = 1 << 24


def pack(note: Note) -> bytes:
    """Return a message as bytes."""
    data = _encode(note)
    return len(data).to_bytes(4, "big") + data


class Notes:
    """Cuts a stream of bytes into messages."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Note]:
        """Return the messages that are complete with ``data``.

        Raises:
            ValueError: it is no such stream.
        """
        data = self._rest + data if self._rest else data
        found: list[Note] = []
        at, size = 0, len(data)
        while size - at >= 4:
            length = int.from_bytes(data[at : at + 4], "big")
            if length > _LONGEST:
                raise ValueError("not a message of the ledger")
            if size - at - 4 < length:
                break
            found.append(_decode(data[at + 4 : at + 4 + length]))
            at += 4 + length
        self._rest = data[at:]
        return found
