"""Requests that wait for a person: how a worker hands them over, and learns what was decided.

A worker never touches the database. What it hands over is a file in ``var/reviews/inbox``, on the disk before the
caller is told; the control process takes it into the database (see ``reviews_desk``) and writes ``run/reviews.json``,
which every worker looks at several times a second. Neither knows what a rail looks at: a request is the same when a
rail says that what it saw is the same, by a digest.

A file is named after what it is about, so of several workers that hand over the same request one makes the file and
the others find it. It is removed only when the snapshot tells of the review: whoever made another file of that name
since then sees the review that is there.
"""

import asyncio
import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Final

import msgspec

from mainstay.core.call import Ask, Call
from mainstay.core.clock import wall_ms
from mainstay.core.errors import BodyTooLarge, Forbidden, RateLimited, StartError, Unavailable
from mainstay.core.ids import uuid7
from mainstay.core.target import TALKS
from mainstay.governance.config import ReviewsConfig
from mainstay.store.files import create_once
from mainstay.store.sealing import Seal, SealLost

__all__ = [
    "MOST_OPEN",
    "ReviewQueue",
    "Standing",
    "Standings",
    "Ticket",
    "content_about",
    "inbox_path",
    "is_ticket",
    "mark_of",
    "new_review",
    "snapshot_path",
]

#: The most reviews that are open at a time, of all keys together.
MOST_OPEN: Final = 2_000
_NAME: Final = re.compile(r"[0-9a-f]{16}-[0-9a-f]{32}\.json")
_PATIENCE: Final = 60.0
#: How often a file that was taken in between our look and our reading is looked for.
_LOOKS: Final = 5
_LATER: Final = "The request cannot be handed to a reviewer now; try again shortly."


class Ticket(msgspec.Struct, frozen=True, omit_defaults=True):
    """A request that waits for a person. ``content`` is its text, sealed where content is.

    ``mark`` says what it is about: the key, the route, the rail and what that saw; see :func:`mark_of`. ``kinds``
    counts what the rail found, ``score`` is the surest of it.
    """

    id: str
    mark: str
    at: int
    key: str
    rail: str
    digest: str
    content: str
    route: str = ""
    where: str = ""
    kinds: dict[str, int] = {}
    score: float | None = None
    organisation: str = ""
    team: str = ""
    user: str = ""
    #: The record of the call that was held.
    record: str = ""


class Standing(msgspec.Struct, frozen=True, omit_defaults=True):
    """A review as workers know it: ``open``, ``approved`` or ``denied``, in force until ``until`` (wall-clock ms)."""

    id: str
    mark: str
    key: str
    rail: str
    status: str
    until: int
    reason: str = ""


class Standings(msgspec.Struct, frozen=True):
    """All reviews that are in force."""

    reviews: list[Standing]


_read = msgspec.json.Decoder(Standings).decode
_ticket = msgspec.json.Decoder(Ticket).decode


class ReviewQueue:
    """Hands requests over, and knows what was decided. Implements ``guardrails.port.Reviews``.

    Args:
        home: the folder Mainstay writes to.
        seal: seals what a person is to read.
        rules: the settings.
    """

    def __init__(self, home: Path, seal: Seal, rules: ReviewsConfig) -> None:
        self._home = home
        self._seal = seal
        self._inbox = inbox_path(home)
        self._seen: tuple[int, int, int] | None = None
        self._standings: Mapping[str, Standing] = {}
        self._by_key: Mapping[str, Sequence[Standing]] = {}
        #: How many are open, of all keys.
        self._open = 0
        # Counting and adding must be one step, or a burst of requests would pass the limit.
        self._lock = threading.Lock()
        #: The settings; set anew when the configuration changes.
        self.rules = rules

    def refresh(self) -> None:
        """Take in the snapshot if its file changed; one ``stat`` otherwise. A damaged file changes nothing."""
        path = snapshot_path(self._home)
        try:
            found = path.stat()
            seen = (found.st_mtime_ns, found.st_ino, found.st_size)
            if seen == self._seen:
                return
            reviews = _read(path.read_bytes()).reviews
        except (OSError, ValueError):
            return
        by_key: dict[str, list[Standing]] = {}
        for one in reviews:
            by_key.setdefault(one.key, []).append(one)
        self._by_key, self._open = by_key, sum(one.status == "open" for one in reviews)
        self._standings, self._seen = {one.mark: one for one in reviews}, seen

    def allowed(self, call: Call, rail: str, digest: str) -> bool:
        """Say whether a person has approved that this key sends this past this rail. About 2 µs."""
        found = self._standing(mark_of(call.caller.key, call.route, rail, digest))
        return found is not None and found.status == "approved"

    async def ask(self, call: Call, rail: str, digest: str, kinds: Mapping[str, int]) -> str:
        """Have a person decide; return the id of the review, the same as long as it is the same request.

        Raises:
            Forbidden: a person has denied it; code ``review_denied``.
            RateLimited: too many requests of the key wait already; code ``too_many_reviews``.
            BodyTooLarge: it is more than a person is shown.
            Unavailable: it cannot be kept.
        """
        mark = mark_of(call.caller.key, call.route, rail, digest)
        self.refresh()
        found = self._standing(mark)
        if found is not None:
            return _told(found)
        ask = call.ask.origin or call.ask
        if len(ask.raw) > self.rules.max_size:
            raise BodyTooLarge(
                "The request needs a reviewer's approval and is too long to be reviewed: send less at once.",
                code="too_large_to_review",
            )
        ticket = _ticket_of(call, ask, mark, rail, digest, kinds)
        about = content_about(ticket.id)
        try:
            content = self._seal.seal_text(ticket.content, about, ticket.organisation, ticket.team)
        except SealLost:
            raise Unavailable(_LATER, retry_after=1.0) from None
        identity = await asyncio.to_thread(self._hand_over, msgspec.structs.replace(ticket, content=content))
        # It may have been taken in, from another worker, between our look and our file.
        self.refresh()
        found = self._standing(mark)
        return identity if found is None else _told(found)

    async def all_of(self, key: str) -> list[Standing]:
        """Return the reviews of a key that are in force, the newest first."""
        self.refresh()
        known, now = self._standings, wall_ms()
        found = {one.id: one for one in self._by_key.get(key, ()) if one.until > now}
        for one in await asyncio.to_thread(self._waiting, key):
            if one.mark not in known:
                found[one.id] = one
        return sorted(found.values(), key=lambda one: one.id, reverse=True)

    def _standing(self, mark: str) -> Standing | None:
        found = self._standings.get(mark)
        return found if found is not None and found.until > wall_ms() else None

    def _hand_over(self, ticket: Ticket) -> str:
        """Put a ticket on the disk; return the id of the one that is there then. Blocking."""
        path = self._inbox / f"{ticket.mark}.json"
        data = msgspec.json.encode(ticket)
        for _ in range(_LOOKS):
            try:
                with self._lock:
                    self._count(ticket)
                    held = create_once(path, data)
                _settle(self._inbox)
                return _ticket(held).id
            except FileNotFoundError:
                # Taken in between: it is made anew, and the snapshot tells of the first.
                continue
            except (OSError, ValueError, StartError):
                break
        raise Unavailable(_LATER, retry_after=1.0)

    def _count(self, ticket: Ticket) -> None:
        names = [name for name in _names(self._inbox) if name[:-5] not in self._standings]
        if f"{ticket.mark}.json" in names:
            return
        mine = sum(one.status == "open" for one in self._by_key.get(ticket.key, ()))
        mine += sum(name.startswith(ticket.mark[:16]) for name in names)
        if mine >= self.rules.open or len(names) + self._open >= MOST_OPEN:
            raise RateLimited(
                f"The request needs a reviewer's approval, and {mine} of this key wait for one already; send it when "
                "some are decided.",
                code="too_many_reviews",
                retry_after=_PATIENCE,
                should_retry=False,
            )

    def _waiting(self, key: str) -> list[Standing]:
        """Return the reviews of a key that no one has taken in yet. Blocking."""
        start, found = mark_of(key, "", "", "")[:16], []
        for name in _names(self._inbox):
            if name.startswith(start):
                with suppress(OSError, ValueError):
                    one = _ticket((self._inbox / name).read_bytes())
                    until = one.at + round(self.rules.keep * 1000)
                    found.append(Standing(one.id, one.mark, one.key, one.rail, "open", until))
        return found


def mark_of(key: str, route: str, rail: str, digest: str) -> str:
    """Return what a review is about as one word: of a key (the first 16 digits), a route, a rail, and what it saw."""
    # No name has a zero byte.
    about = "\0".join((key, route, rail, digest))
    return f"{_hash(key, 8)}-{_hash(about, 16)}"


def new_review() -> str:
    """Return the id of a new review."""
    return f"rev_{uuid7().replace('-', '')}"


def content_about(review: str) -> str:
    """Return what the sealed text of a review is bound to."""
    return f"review {review} request"


def inbox_path(home: Path) -> Path:
    """Return where workers leave what is to be taken in."""
    return home / "reviews" / "inbox"


def snapshot_path(home: Path) -> Path:
    """Return where workers find what is in force."""
    return home / "run" / "reviews.json"


def is_ticket(name: str) -> bool:
    """Say whether a file of this name is a ticket, whole."""
    return _NAME.fullmatch(name) is not None


def _hash(text: str, size: int) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=size).hexdigest()


def _names(folder: Path) -> Iterator[str]:
    try:
        yield from filter(is_ticket, os.listdir(folder))
    except FileNotFoundError:
        return


def _settle(folder: Path) -> None:
    """Have a new name in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _told(standing: Standing) -> str:
    if standing.status == "denied":
        said = f": {standing.reason}" if standing.reason else "."
        raise Forbidden(
            f"A reviewer has denied this request{said}", code="review_denied", extra={"review": standing.id}
        )
    return standing.id


def _ticket_of(call: Call, ask: Ask, mark: str, rail: str, digest: str, kinds: Mapping[str, int]) -> Ticket:
    """Return a ticket whose content is plain."""
    verdict = next((one for one in call.record.verdicts if one.rail == rail and one.kinds), None)
    return Ticket(
        id=new_review(),
        mark=mark,
        at=wall_ms(),
        key=call.caller.key,
        rail=rail,
        digest=digest,
        content=_text_of(ask),
        route=call.route,
        where=verdict.where if verdict is not None else "",
        kinds=dict(kinds),
        score=verdict.score if verdict is not None else None,
        organisation=call.caller.organisation,
        team=call.caller.team,
        user=ask.user,
        record=call.record.id,
    )


def _text_of(ask: Ask) -> str:
    """Return what a person is to read: the caller's own words where they are words."""
    if ask.raw and ask.kind.startswith(b"application/json"):
        return ask.raw.decode("utf-8", "replace")
    if ask.operation in TALKS:
        return msgspec.json.encode(ask.prompt).decode()
    return f"({len(ask.raw)} bytes of {ask.kind.decode('latin-1')[:100]})"
