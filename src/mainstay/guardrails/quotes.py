"""Quotes of sources on the way out: words of documents, which the rails of outputs look at like any others.

Knows citations as events, and no knowledge base.
"""

from msgspec.structs import replace

from mainstay.core.events import Cited, ClaimEnded, Event, Grounded
from mainstay.core.sources import Citation
from mainstay.guardrails.lookout import Lookout

__all__ = ["Quotes"]


class Quotes:
    """The quotes of one answer.

    Args:
        lookout: what looks.
    """

    def __init__(self, lookout: Lookout) -> None:
        self._lookout = lookout
        #: Citations that were left out: their passages and places.
        self._hidden: set[tuple[str, int, int]] = set()

    def take(self, event: Cited | ClaimEnded | Grounded) -> Event | None:
        """Return ``event`` without citations of which a rail would hide a word; None where nothing is left.

        Raises:
            ContentBlocked: a rail lets it not pass.
        """
        if isinstance(event, Cited):
            citation = event.citation
            source = citation.source
            texts = (citation.quote, source.title, *source.heading)
            place = f"{event.choice}.other"
            # All of them, so that all is noted.
            hidden = [text for text in texts if text and self._lookout.scan_whole(text, place)]
            if hidden:
                self._hidden.add(_name(citation))
                return None
        elif isinstance(event, Grounded) and self._hidden:
            return replace(event, citations=tuple(one for one in event.citations if _name(one) not in self._hidden))
        return event


def _name(citation: Citation) -> tuple[str, int, int]:
    return citation.source.passage, citation.start, citation.end
