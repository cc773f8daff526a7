"""``routes:`` in the configuration: which models stand behind a name, and how one of them is chosen."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from mainstay.core.config import Name, PositiveDuration, Section
from mainstay.core.timeouts import Timeouts

__all__ = ["RouteConfig", "TargetConfig", "TimeoutsConfig"]


class TargetConfig(Section):
    """One model of a route. A bare model name stands for a target of weight 1."""

    model: Name
    """Name of a row of ``models``."""

    weight: float = Field(default=1.0, gt=0, le=1_000_000, allow_inf_nan=False)
    """Share of the calls under ``choose: weighted``, against the sum of all weights of the route."""


def _from_name(value: Any) -> Any:
    return {"model": value} if isinstance(value, str) else value


class _OrName:
    """Says in the JSON Schema that a bare name may stand for the mapping."""

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [{"type": "string"}, handler(core_schema)]}


class TimeoutsConfig(Section):
    """The five limits of a call. The first token is an event that carries content; pings and comments are none."""

    connect: PositiveDuration = 2.0
    """Until the connection to the upstream stands, TLS included."""

    headers: PositiveDuration = 300.0
    """From sending the request until the upstream's status line and headers. They come at once on a stream, and only
    with the complete answer on a call that is not streamed."""

    first_token: PositiveDuration = 60.0
    """From sending the request until the first event that carries content."""

    idle: PositiveDuration = 60.0
    """Between two pieces of an answer, keep-alives included."""

    total: PositiveDuration = 600.0
    """For the whole call, all attempts together."""

    def limits(self) -> Timeouts:
        """Return the limits as the transport wants them."""
        return Timeouts(self.connect, self.headers, self.first_token, self.idle, self.total)


class RouteConfig(Section):
    """A name that callers use as ``model``, and what stands behind it."""

    targets: tuple[Annotated[TargetConfig, BeforeValidator(_from_name), _OrName()], ...] = Field(min_length=1)
    """The models of the route: ``{model: NAME, weight: N}``, or a bare name."""

    choose: Literal["first", "weighted"] = "first"
    """How the order of the targets is found for a call: as listed, or drawn by weight."""

    fallback: tuple[Name, ...] = ()
    """Models to ask, in this order, after every target failed."""

    attempts: int = Field(default=4, ge=1, le=16)
    """Upstream calls in all for one call, retries and fallbacks together."""

    timeouts: TimeoutsConfig = Field(default_factory=TimeoutsConfig)
    """The limits of a call."""

    interrupted: Literal["error"] = "error"
    """What a stream does when its upstream breaks after the first token: end in an error event."""

    last_resort: str | None = Field(default=None, min_length=1, max_length=10_000)
    """Text to answer with when every attempt failed; absent, the caller gets the error."""

    content: Literal["none", "full"] = "none"
    """Whether records keep the bodies of requests and answers."""
