"""What becomes of a record's content before it is written: it is redacted where the route wants that, and sealed.

Both are settlers, asked in this order, after all that looks at what was said. Neither knows the journal.
"""

import logging
from collections.abc import Callable

from mainstay.core.record import Content, Record
from mainstay.store.sealing import KeyedSeal, SealLost, request_about, response_about

__all__ = ["ContentRedactor", "ContentSealer", "Redact"]

_log = logging.getLogger("mainstay.governance")

#: Returns a record's content as it may be kept, None for nothing. Asked only for routes with ``content: redacted``.
Redact = Callable[[Record], Content | None]


def _nothing(_: Record) -> None:
    """Keep nothing: without what recognises personal data, nothing is known to be free of it."""


class ContentRedactor:
    """Has the content of some routes redacted. A :class:`~mainstay.core.ports.Settler`.

    Args:
        redact: takes out what must not be kept; absent, content of such routes is not kept at all.
    """

    def __init__(self, redact: Redact = _nothing) -> None:
        self._redact = redact
        #: Names of the routes; set anew when the configuration changes.
        self.routes: frozenset[str] = frozenset()

    def settle(self, record: Record) -> None:
        """Put redacted content in the place of what was said."""
        if record.content is not None and record.route in self.routes:
            record.content = self._redact(record)


class ContentSealer:
    """Seals the content of a record before it is written to the journal. A :class:`~mainstay.core.ports.Settler`."""

    def __init__(self, seal: KeyedSeal) -> None:
        self._seal = seal
        self._said = False

    def settle(self, record: Record) -> None:
        """Seal what the record says, or take it out where no key is there: plain it is not written."""
        content = record.content
        if content is None or not self._seal.enabled:
            return
        home = (record.organisation, record.team)
        try:
            request = self._seal.seal_text(content.request, request_about(record.id), *home)
            content.response = self._seal.seal_text(content.response, response_about(record.id), *home)
            content.request = request
        except SealLost:
            record.content = None
            if not self._said:
                self._said = True
                _log.error("content is not kept: there is no key to seal it with")
