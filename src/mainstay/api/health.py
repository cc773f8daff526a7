"""Is it alive, is it ready, and how is it doing: health checks and the metrics page."""

from collections.abc import Callable, Mapping

import msgspec

from mainstay.api.door import Request

__all__ = ["HealthEndpoints"]


class HealthEndpoints:
    """Open to whoever can reach the port; says nothing of calls, keys or prompts.

    Args:
        parts: returns whether the gateway is ready, and each part's state by name: ``up`` or what is wrong with it.
        models: returns how each model's upstream is by this worker's experience: ``up``, or what keeps calls from it.
        metrics: returns the metrics page of all workers together.
    """

    def __init__(
        self,
        parts: Callable[[], tuple[bool, Mapping[str, str]]],
        models: Callable[[], Mapping[str, str]],
        metrics: Callable[[], bytes],
    ) -> None:
        self._parts = parts
        self._models = models
        self._metrics = metrics

    async def live(self, request: Request) -> None:
        """``GET /health/live``: 200 while this worker serves."""
        await request.respond(200, b'{"status":"alive"}')

    async def ready(self, request: Request) -> None:
        """``GET /health/ready``: 200 when every part that answers calls is up, else 503; what fails is named.

        A control process that is away is named and makes nothing unready: workers answer without it. So is a model
        whose upstream fails: the gateway is what answers for it.
        """
        ready, parts = self._parts()
        body = msgspec.json.encode(
            {"status": "ready" if ready else "not_ready", "parts": parts, "models": self._models()}
        )
        await request.respond(200 if ready else 503, body, extra=() if ready else ((b"retry-after", b"1"),))

    async def metrics(self, request: Request) -> None:
        """``GET /metrics``: Prometheus' text format."""
        await request.respond(200, self._metrics(), kind=b"text/plain; version=0.0.4; charset=utf-8")
