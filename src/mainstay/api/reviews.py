"""``/v1/reviews``: how requests stand that wait for a person, for the key that sent them."""

from collections.abc import Callable

import msgspec

from mainstay.api.door import Request
from mainstay.api.files import need, page_of, visit_of
from mainstay.api.gate import Gate
from mainstay.core.errors import NotFound
from mainstay.governance.reviews import ReviewQueue, Standing

__all__ = ["ReviewsPages"]


class ReviewsPages:
    """``/v1/reviews`` and what is below it.

    Args:
        gate: returns the generation in force.
        queue: knows how reviews stand.
    """

    def __init__(self, gate: Callable[[], Gate], queue: ReviewQueue) -> None:
        self._gate = gate
        self._queue = queue

    async def serve(self, request: Request, rest: str) -> None:
        """Answer a request for what follows ``/v1/reviews``, without its first slash.

        Raises:
            MainstayError: it cannot be done; the message says why.
        """
        caller, _, method, name, page = visit_of(self._gate(), request, rest)
        if page:
            raise NotFound("There is nothing at this path; the HTTP reference lists every path.")
        need(method, "GET")
        mine = await self._queue.all_of(caller.key)
        if not name:
            await request.respond(200, page_of([_shown(one) for one in mine], False))
            return
        found = next((one for one in mine if one.id == name), None)
        if found is None:
            raise NotFound(
                f"There is no review '{name[:64]}' of this key that holds: send the request again to have it decided."
            )
        await request.respond(200, msgspec.json.encode(_shown(found)))


def _shown(found: Standing) -> dict[str, object]:
    return {
        "id": found.id,
        "object": "review",
        "status": found.status,
        "rail": found.rail,
        "reason": found.reason or None,
        # Seconds, as everything below /v1.
        "expires_at": found.until // 1000,
    }
