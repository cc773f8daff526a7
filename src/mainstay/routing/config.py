"""``routes:`` in the configuration: which models stand behind a name, and how one of them is chosen."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from mainstay.core.config import Duration, Name, OrText, PositiveDuration, Section
from mainstay.core.timeouts import Timeouts

__all__ = ["LastResortConfig", "OverloadConfig", "RouteConfig", "TargetConfig", "TimeoutsConfig"]


class TargetConfig(Section):
    """One model of a route. A bare model name stands for a target of weight 1."""

    model: Name
    """Name of a row of ``models``."""

    weight: float = Field(default=1.0, gt=0, le=1_000_000, allow_inf_nan=False)
    """Share of the calls under ``choose: weighted``, against the sum of all weights of the route."""


def _from_name(value: Any) -> Any:
    return {"model": value} if isinstance(value, str) else value


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


class LastResortConfig(Section):
    """What to answer with when every attempt failed: the first of these that there is, in this order."""

    earlier: bool = False
    """An answer given before to the same request of the same team or key, kept in memory by the worker."""

    model: Name | None = None
    """One more model, asked beyond ``attempts``: a smaller local one, say."""

    text: str | None = Field(default=None, min_length=1, max_length=10_000)
    """These words."""


def _from_text(value: Any) -> Any:
    return {"text": value} if isinstance(value, str) else value


class RouteConfig(Section):
    """A name that callers use as ``model``, and what stands behind it."""

    targets: tuple[Annotated[TargetConfig, BeforeValidator(_from_name), OrText()], ...] = Field(min_length=1)
    """The models of the route: ``{model: NAME, weight: N}``, or a bare name."""

    choose: Literal["first", "weighted", "fastest", "least-loaded", "cheapest", "greenest", "sticky"] = "first"
    """How the order of the targets is found for a call. ``first``: as listed. ``weighted``: drawn by weight.
    ``fastest``: by the time to the first token, as lately measured. ``least-loaded``: by the tokens under way, of two
    drawn. ``cheapest``: by ``price``, for the length of this prompt. ``greenest``: by expected CO2, likewise.
    ``sticky``: a conversation stays with one target, whose prompt cache then knows it."""

    fallback: tuple[Name, ...] = ()
    """Models to ask, in this order, after every target failed."""

    attempts: int = Field(default=4, ge=1, le=16)
    """Upstream calls in all for one call, retries and fallbacks together."""

    patience: Duration = 3.0
    """The longest wait that an upstream may ask for (``retry-after``) before the call goes elsewhere instead."""

    timeouts: TimeoutsConfig = Field(default_factory=TimeoutsConfig)
    """The limits of a call."""

    interrupted: Literal["error", "hold", "resume"] = "error"
    """What a stream does when its upstream breaks after the first token. ``error``: it ends in an error event.
    ``hold``: nothing is sent before the answer is complete, so that another attempt can replace it. ``resume``: the
    answer is asked for again, and goes on if the new one begins with exactly what was sent; for temperature 0."""

    stream_upstream: Literal["auto", "always", "never"] = "auto"
    """Whether upstreams are asked for a stream also where the caller wants the answer whole: only then do
    ``first_token`` and ``idle`` hold for such calls. ``auto``: where the route has somewhere else to go."""

    filtered: Literal["refuse", "fallback"] = "refuse"
    """What happens when an upstream's content filter refuses a request: the caller is told, or the next model is
    asked."""

    hedge: float | None = Field(default=None, gt=0, le=0.5)
    """Share of the calls that may be sent a second time, to the next target, when the first token is later than nearly
    always: 0.03 cuts off the slowest two or three in a hundred. The first to answer wins, the other is cancelled. Calls
    with tools are never sent twice. Absent, none are."""

    single_flight: bool = False
    """Whether identical calls of one team or key at the same time, with temperature 0, share one upstream call."""

    last_resort: Annotated[LastResortConfig, BeforeValidator(_from_text), OrText()] | None = None
    """What to answer with when every attempt failed: a text, or a mapping; absent, the caller gets the error."""

    content: Literal["none", "redacted", "full"] = "none"
    """Whether records keep the bodies of requests and answers: not at all, whole, or with what is
    recognised as personal or secret, or masked by the route's rails, masked."""

    store_responses: bool = True
    """Whether responses are kept for ``previous_response_id``, where ``responses.store`` allows it."""


class OverloadConfig(Section):
    """What happens when more calls come than a model has room for."""

    queue: int = Field(default=1024, ge=0, le=100_000)
    """Calls that may wait for one model, in each worker; 0: none waits. When it is full, a call of a higher class, or
    of a team that has less waiting, takes the place of one that waits; others get 503 with ``retry-after``."""

    wait: Duration = 10.0
    """The longest that a call waits for room. Its ``first_token`` and ``total`` limits may allow less, and a call that
    would have to wait longer is refused at once."""

    shares: dict[Name, Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)]] = {}
    """How much of a busy model a team, or a key without a team, gets against the others, in tokens, by its name.
    Absent: 1."""

    classes: dict[Name, Literal["critical", "standard", "sheddable"]] = {}
    """The highest class that a team or a key may ask for with ``x-mainstay-priority``, by its name; a key's own goes
    before its team's. Absent: ``standard``. Calls that do not ask are ``standard``, if that is allowed. Critical calls
    go before standard ones, and these before sheddable ones, which are also the first to be refused."""
