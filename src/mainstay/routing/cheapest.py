"""``choose: cheapest``: the target whose answer will probably cost least."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from mainstay.core.call import Call
from mainstay.core.target import Target
from mainstay.routing.fit import output_limit

__all__ = ["Cheapest"]

#: Bytes of a request for a token of it.
_BYTES_PER_TOKEN: Final = 4
#: Tokens of an answer when the caller sets no limit.
_ANSWER: Final = 256
#: Tokens of a request whose body was made here and has no bytes.
_UNSEEN: Final = 1000


class Cheapest:
    """Orders targets by expected cost: the request's tokens, and the caller's limit on the answer, at their prices.

    Unknown prices go last, since they may be any; equal costs stay as they are written.
    """

    def order(self, call: Call, targets: Sequence[Target]) -> Sequence[Target]:
        """Return ``targets``, the cheapest first."""
        if len(targets) == 1:
            return targets
        priced = [(target.prices, place) for place, target in enumerate(targets) if target.prices is not None]
        priced.sort()
        outs = [prices[1] for prices, _ in priced]
        if any(later < earlier for earlier, later in pairwise(outs)):
            # Only when one is cheaper to ask and the other to hear does the length matter.
            ask = call.ask
            given = len(ask.raw) // _BYTES_PER_TOKEN or _UNSEEN
            limit = output_limit(ask)
            written = _ANSWER if limit is None else limit
            priced.sort(key=lambda row: (row[0][0] * given + row[0][1] * written, row[1]))
        cheap = [targets[place] for _, place in priced]
        return (*cheap, *[target for target in targets if target.prices is None])
