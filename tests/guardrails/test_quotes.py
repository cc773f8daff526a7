"""Quotes of sources under the rails of outputs."""

from typing import Any

from mainstay.core.events import Cited, ClaimEnded, Grounded
from mainstay.core.sources import Citation, Claim
from mainstay.guardrails.quotes import Quotes
from support.grounding import CATS, PIN, REFUNDS


class Lookout:
    """Masks whatever speaks of dogs."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def scan_whole(self, text: str, place: str) -> bool:
        self.seen.append(text)
        return "Dogs" in text


def test_a_quote_of_which_a_rail_hides_a_word_is_no_citation_any_more() -> None:
    lookout: Any = Lookout()
    quotes = Quotes(lookout)
    claim = Claim(0, 3, "Yes")
    bad = Citation(claim, CATS, 30, 62, "Dogs have to wait outside the door.")
    good = Citation(claim, REFUNDS, 100, 121, "Refunds take 14 days.")
    assert quotes.take(Cited(bad)) is None
    assert quotes.take(Cited(good)) == Cited(good)
    assert quotes.take(ClaimEnded()) == ClaimEnded()
    assert quotes.take(Grounded(PIN, (bad, good))) == Grounded(PIN, (good,))
    assert lookout.seen == [bad.quote, "Handbook", good.quote, "Handbook"]
