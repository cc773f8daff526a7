"""The order of the stages. Nothing else in Mainstay decides order.

The whole plan, with its reasons; a stage stands in ``LINE`` from the day its room is built:

1. ``telemetry.Observe``: opens the record; sees refusals too; settles last.
2. ``governance.Admit``: is this caller allowed this model, here, with this data.
3. ``experiments.Assign``: before anything that an arm may change.
4. ``cost.Hold``: is there room for this call; counts it against its limits before anything is done for it.
5. ``guardrails.Screen``: input rails going in; output and stream rails coming out, cache hits included.
6. ``caching.Recall``: may answer here; its key covers tenant, arm, policy and index version.
7. ``grounding.Ground``: attach sources going in, cite and verify going out.
8. ``reading.Read``: read what a model cannot see, hear or open; once, however often the steps below ask.
9. ``tools.UseTools``: run what the model calls and ask again; each round's answer is held to its form below.
10. ``shaping.Shape``: hold the answer to its schema; repair, then re-ask, within a bound.
11. ``routing.Route``: choose, retry, fall back, hedge: the only loop over attempts.
12. ``cost.Charge``: reserve what this one attempt may cost; the truth is settled with the record.
13. ``providers.CallProvider``: the wire.
"""

from collections.abc import Awaitable, Iterable, Mapping
from typing import Final

from mainstay.caching.stage import Recall
from mainstay.core.answer import Answer
from mainstay.core.call import Call
from mainstay.core.errors import Internal
from mainstay.core.stage import Onward, Stage
from mainstay.cost.stage import Charge, Hold
from mainstay.governance.stage import Admit
from mainstay.grounding.stage import Ground
from mainstay.guardrails.stage import Screen
from mainstay.providers.stage import CallProvider
from mainstay.reading.stage import Read
from mainstay.routing.stage import Route
from mainstay.shaping.stage import Shape
from mainstay.telemetry.stage import Observe
from mainstay.tools.stage import UseTools

__all__ = ["LINE", "compile_line"]

LINE: Final[tuple[type[Stage], ...]] = (
    Observe,
    Admit,
    Hold,
    Screen,
    Recall,
    Ground,
    Read,
    UseTools,
    Shape,
    Route,
    Charge,
    CallProvider,
)


def compile_line(stages: Iterable[Stage]) -> Onward:
    """Return one function that takes a call through ``stages`` in the order of ``LINE``.

    ``stages`` holds what one route configures, in any order, each kind at most once. A stage that is not there is not
    in the function: it costs nothing.
    """
    by_kind: Mapping[type, Stage] = {type(stage): stage for stage in stages}
    unknown = set(by_kind) - set(LINE)
    assert not unknown, f"not on the line: {unknown}"
    onward: Onward = _end
    for kind in reversed(LINE):
        if kind in by_kind:
            onward = _before(by_kind[kind], onward)
    return onward


def _before(stage: Stage, onward: Onward) -> Onward:
    take = stage.__call__

    # A function of its own costs a call half of what a partial with a keyword does.
    def step(call: Call) -> Awaitable[Answer]:
        return take(call, onward)

    return step


async def _end(call: Call) -> Answer:
    raise Internal("The line of this route ends without a provider.")
