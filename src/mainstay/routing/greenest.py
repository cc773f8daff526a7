"""``choose: greenest``: the target whose answer will probably emit least CO2."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from mainstay.core.call import Call
from mainstay.core.target import Target
from mainstay.routing.fit import output_limit

__all__ = ["Greenest"]

#: Bytes of a request for a token of it.
_BYTES_PER_TOKEN: Final = 4
#: Tokens of an answer when the caller sets no limit.
_ANSWER: Final = 256
#: Tokens of a request whose body was made here and has no bytes.
_UNSEEN: Final = 1000


class Greenest:
    """Orders targets by expected grams of CO2: the request's tokens, and the caller's limit on the answer.

    Targets of which nothing is known go last; equal ones stay as they are written. What a target emits for a token is
    an estimate, often a wide one: a difference of a few per cent means nothing, one of tenfold does.
    """

    def order(self, call: Call, targets: Sequence[Target]) -> Sequence[Target]:
        """Return ``targets``, the greenest first."""
        if len(targets) == 1:
            return targets
        known = [(target.footprint, place) for place, target in enumerate(targets) if target.footprint is not None]
        known.sort()
        outs = [footprint[1] for footprint, _ in known]
        if any(later < earlier for earlier, later in pairwise(outs)):
            # Only when one is greener to ask and the other to hear does the length matter.
            ask = call.ask
            given = len(ask.raw) // _BYTES_PER_TOKEN or _UNSEEN
            limit = output_limit(ask)
            written = _ANSWER if limit is None else limit
            known.sort(key=lambda row: (row[0][0] * given + row[0][1] * written, row[1]))
        green = [targets[place] for _, place in known]
        return (*green, *[target for target in targets if target.footprint is None])
