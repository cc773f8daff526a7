"""Reviews as people work on them: taken in from the workers, shown, decided, and told back to the workers.

Stands between the table of reviews and whoever decides: the command line and the admin API. Works whether or not a
server runs; every step may be done by several processes at once and may be cut off anywhere. Does not know what a rail
looks at.
"""

import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy import Engine

from mainstay.core.clock import wall_ms
from mainstay.core.errors import InvalidRequest, NotFound
from mainstay.governance import reviews_store as store
from mainstay.governance.config import ReviewsConfig
from mainstay.governance.reviews import Standing, Standings, Ticket, content_about, inbox_path, is_ticket, snapshot_path
from mainstay.governance.reviews_store import ReviewFilter, ReviewRow
from mainstay.store.audit import record_event
from mainstay.store.files import private_dir, write_atomic
from mainstay.store.sealing import Seal, SealLost, key_of
from mainstay.store.sql import is_settled, reading, wipe, writing

__all__ = ["LOST", "ReviewDesk", "check_reason"]

_log = logging.getLogger("mainstay.governance")
#: What is shown for content that no key opens any more.
LOST: Final = "(sealed; its key is gone)"
_LONGEST_REASON: Final = 500
#: Tickets that are taken in, and contents that are sealed, at once: each may have a mebibyte.
_FEW: Final = 50
#: Rows that are changed at once.
_MOST: Final = 200
#: Seconds after which a file that nobody finished writing is nobody's.
_ABANDONED: Final = 60.0
_read = msgspec.json.Decoder(Ticket).decode


class ReviewDesk:
    """The reviews of one installation.

    Args:
        engine: the database, migrated.
        home: the folder Mainstay writes to.
        rules: returns the settings in force.
        seal: opens what is sealed, and seals what is new.
        clock: wall-clock ms.
    """

    def __init__(
        self,
        engine: Engine,
        home: Path,
        rules: Callable[[], ReviewsConfig],
        seal: Seal,
        clock: Callable[[], int] = wall_ms,
    ) -> None:
        self._engine = engine
        self._home = home
        self._rules = rules
        self._seal = seal
        self._clock = clock
        #: What was published last: the version of the table, and the settings.
        self._published: tuple[int, ReviewsConfig] | None = None

    # From the workers, and back to them.

    def take_in(self) -> int:
        """Take in what workers have handed over; return how many there were. Loses nothing, wherever it is cut off."""
        total = 0
        while True:
            found = list(self._tickets())
            if found:
                with writing(self._engine) as connection:
                    known = store.marked(connection, [ticket.mark for _, ticket in found])
                    taken = {row.mark for row in known if self._standing(row) is not None}
                    fresh = [self._row(ticket) for _, ticket in found if ticket.mark not in taken]
                    store.add_reviews(self._engine, connection, fresh)
            # A file goes only when the workers know the review: see the head of ``reviews``.
            self.publish()
            if not found or not is_settled(self._engine):
                return total + len(found)
            for path, _ in found:
                path.unlink(missing_ok=True)
            total += len(found)

    def publish(self) -> bool:
        """Write what is in force for the workers if it changed; say whether it was written.

        Cheap when nothing changed: one look at an index and one ``stat``.

        Raises:
            OSError: it cannot be written.
        """
        path, rules = snapshot_path(self._home), self._rules()
        with reading(self._engine) as connection:
            version = store.last_version(connection)
        if self._published == (version, rules) and path.exists():
            return False
        run = private_dir(self._home / "run")
        # The lock keeps a slow writer from putting an older state over a newer one.
        lock = os.open(run / "reviews.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with reading(self._engine) as connection:
                version = store.last_version(connection)
                rows = store.marked(connection)
            standings = [found for row in rows if (found := self._standing(row)) is not None]
            data = msgspec.json.encode(Standings(standings))
            with suppress(OSError):
                if path.read_bytes() == data:
                    self._published = (version, rules)
                    return False
            write_atomic(path, data)
            self._published = (version, rules)
            return True
        finally:
            os.close(lock)

    def tend(self) -> int:
        """Let go of what has expired and remove what was kept long enough; return how many."""
        rules, now = self._rules(), self._clock()
        before, approved, old = (now - round(age * 1000) for age in (rules.keep, rules.valid, rules.history))
        total = 0
        while True:
            with writing(self._engine) as connection:
                found = store.stale(connection, before, approved, _MOST)
                store.forget_contents(connection, before, approved, [review for review, _ in found])
                for review in (review for review, status in found if status == "open"):
                    record_event(self._engine, connection, "mainstay", "reviews.expire", f"review:{review}")
            with writing(self._engine) as connection:
                gone = store.remove_old(connection, old, _MOST)
            total += len(found) + gone
            if len(found) < _MOST and gone < _MOST:
                break
            # Whoever loads records goes first.
            time.sleep(0.01)
        if total:
            wipe(self._engine)
            self.publish()
        return total

    def reseal(self, keys: list[str], after: str = "") -> tuple[int, str | None]:
        """Seal content that lies plain (""), or under one of ``keys``, with its tenant's key.

        Returns how many were sealed, and the id to go on after, None at the end. One that does not open stays.
        """
        with reading(self._engine) as connection:
            rows = store.with_content(connection, keys, after, _FEW)
        fresh = []
        for row in rows:
            with suppress(SealLost):
                sealed = self._sealed(row.id, self.text_of(row, lost=None), row.organisation, row.team)
                fresh.append((row.id, sealed, key_of(sealed)))
        if fresh:
            with writing(self._engine) as connection:
                store.replace_contents(connection, fresh)
        return len(fresh), rows[-1].id if len(rows) == _FEW else None

    # For people.

    def search(self, where: ReviewFilter, *, limit: int | None = None, before: str | None = None) -> list[ReviewRow]:
        """Return reviews, the newest first, without content."""
        with reading(self._engine) as connection:
            return store.select_reviews(connection, where, limit=limit, before=before)

    def find(self, review: str) -> ReviewRow:
        """Return a review by its id.

        Raises:
            NotFound: there is none.
        """
        with reading(self._engine) as connection:
            row = store.find_review(connection, review)
        if row is None:
            raise _missing(review)
        return row

    def text_of(self, row: ReviewRow, lost: str | None = LOST) -> str:
        """Return what a review holds for a person to read, "" when it is kept no longer.

        Raises:
            SealLost: no key opens it, and ``lost`` does not stand for it.
        """
        try:
            return self._seal.open_text(row.content or "", content_about(row.id))
        except SealLost:
            if lost is None:
                raise
            return lost

    def decide(
        self, review: str, *, approve: bool, by: str, reason: str = "", wrong: bool = False, again: bool = False
    ) -> ReviewRow:
        """Approve or deny, note it in the audit log, and tell the workers; return the review as it is then.

        Args:
            review: its id.
            approve: whether the request may pass the rail.
            by: who decides, as the audit log has it.
            reason: why; the caller of a denied request is told.
            wrong: whether the rail should not have held it.
            again: whether an earlier decision may be replaced.

        Raises:
            NotFound: there is no such review.
            InvalidRequest: the reason cannot be told; it has expired, or is decided (code ``review_closed``).
        """
        reason = check_reason(reason)
        status, label = "approved" if approve else "denied", "false_positive" if wrong else "true_positive"
        with writing(self._engine) as connection:
            row = store.find_review(connection, review)
            if row is None:
                raise _missing(review)
            if self._standing(row) is None:
                raise _closed("It was decided and holds no longer" if row.label else "It has expired")
            if row.status != "open" and not again:
                raise _closed(f"It is {row.status} already; say that you decide again to replace that")
            values = {
                "status": status,
                "label": label,
                "reason": reason,
                "decided_by": by,
                "decided_at": self._clock(),
            }
            store.change_review(connection, review, values)
            said: dict[str, str | bool] = {"rail": row.rail, "route": row.route, "label": label}
            record_event(
                self._engine, connection, by, "reviews.approve" if approve else "reviews.deny", f"review:{review}", said
            )
        self.publish()
        return self.find(review)

    def remove(self, reviews: list[str]) -> None:
        """Remove reviews, for good, and tell the workers."""
        if reviews:
            with writing(self._engine) as connection:
                store.remove_reviews(connection, reviews)
        self.publish()

    def exported(self, by: str, rail: str | None = None, content: bool = False) -> Iterator[ReviewRow]:
        """Yield decisions (of one rail), the oldest first, and note in the audit log who took them."""
        with writing(self._engine) as connection:
            record_event(
                self._engine,
                connection,
                by,
                "reviews.export",
                f"rail:{rail}" if rail else "rails",
                {"content": content},
            )
        yield from (row for row in self.every() if row.label and rail in (None, row.rail))

    def every(self) -> Iterator[ReviewRow]:
        """Yield every review, the oldest first, with content as it lies."""
        with reading(self._engine) as connection:
            yield from store.every_review(connection)

    def counts(self) -> Mapping[tuple[str, str, str], int]:
        """Return how many reviews there are of each rail, status and label."""
        with reading(self._engine) as connection:
            return store.count_reviews(connection)

    def _standing(self, row: ReviewRow) -> Standing | None:
        """Return a review as workers know it, None when it is in force no longer."""
        rules = self._rules()
        waited = row.at + round(rules.keep * 1000)
        until = waited if row.decided_at is None else row.decided_at + round(rules.valid * 1000)
        if row.status == "denied":
            until = max(until, waited)
        if not row.mark or row.status == "expired" or until <= self._clock():
            return None
        return Standing(row.id, row.mark, row.key, row.rail, row.status, until, row.reason)

    def _tickets(self) -> Iterator[tuple[Path, Ticket]]:
        """Yield what lies in the inbox, some of it; what nobody can read is removed, and said."""
        folder = inbox_path(self._home)
        try:
            names = sorted(os.listdir(folder))
        except FileNotFoundError:
            return
        count = 0
        for name in names:
            path = folder / name
            try:
                if not is_ticket(name):
                    # A worker that was killed while it wrote leaves it; it has people's words.
                    if path.stat().st_mtime < time.time() - _ABANDONED:
                        path.unlink()
                    continue
                if count == _FEW:
                    return
                ticket = _read(path.read_bytes())
                count += 1
            except FileNotFoundError:
                continue
            except ValueError:
                _log.error("a request for review cannot be read and is dropped: %s", name)
                path.unlink(missing_ok=True)
                continue
            yield path, ticket

    def _row(self, ticket: Ticket) -> ReviewRow:
        content = ticket.content
        with suppress(SealLost):
            if not key_of(content):
                content = self._sealed(ticket.id, content, ticket.organisation, ticket.team)
        return ReviewRow(
            id=ticket.id,
            at=ticket.at,
            organisation=ticket.organisation,
            team=ticket.team,
            key=ticket.key,
            # PostgreSQL has no such character.
            user=ticket.user.replace("\0", ""),
            route=ticket.route,
            rail=ticket.rail,
            where=ticket.where,
            kinds=msgspec.json.encode(ticket.kinds, order="sorted").decode(),
            digest=ticket.digest,
            mark=ticket.mark,
            status="open",
            record=ticket.record,
            content=content,
            score=ticket.score,
            data_key=key_of(content),
        )

    def _sealed(self, review: str, text: str, organisation: str, team: str) -> str:
        return self._seal.seal_text(text, content_about(review), organisation, team)


def check_reason(text: str) -> str:
    """Return a reason as it may be told: one line, without what could command a terminal.

    Raises:
        InvalidRequest: it is too long.
    """
    line = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    if len(line) > _LONGEST_REASON:
        raise InvalidRequest(f"A reason has at most {_LONGEST_REASON} characters.", param="reason")
    return line


def _missing(review: str) -> NotFound:
    return NotFound(f"There is no review '{review[:64]}'.")


def _closed(why: str) -> InvalidRequest:
    return InvalidRequest(f"{why}.", code="review_closed", status=409)
