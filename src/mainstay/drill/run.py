"""Conducts a drill: for each route, dialect and mode one real gateway, and each fault on a stage of its own beside it.

The one place that knows all parts. Does not judge, and does not print.
"""

import asyncio
import itertools
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mainstay.core.errors import SetupError
from mainstay.drill import rewrite
from mainstay.drill.caller import Dialect, ask, request_body
from mainstay.drill.faults import Fault, Timing, Want
from mainstay.drill.gateway import Gateway, prepare_home
from mainstay.drill.judge import Observation, Verdict, judge
from mainstay.drill.reading import Reply, read_reply
from mainstay.drill.upstream import Scene
from mainstay.routing.config import RouteConfig

__all__ = ["Plan", "Result", "Stage", "drill", "timing_of"]

#: Gateways at once, and faults at once on each.
_GATEWAYS, _STAGES = 4, 4
#: Seconds after which a call that did not end within its route's ``total`` is given up.
_GRACE = 5.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What is drilled: ``document`` as :func:`~mainstay.drill.rewrite.read_document` returns it."""

    document: Mapping[str, Any]
    routes: Sequence[str]
    dialects: Sequence[Dialect]
    #: Streamed and not: True and False.
    modes: Sequence[bool]
    faults: Sequence[Fault]
    fast: bool = False

    def __len__(self) -> int:
        return len(self.routes) * len(self.dialects) * len(self.modes) * len(self.faults)


@dataclass(frozen=True, slots=True)
class Result:
    """One fault as it was played once on one route, in one dialect and mode."""

    route: str
    observation: Observation
    verdict: Verdict


@dataclass
class Stage:
    """One fault with what is needed to play it: a scene, a caller of the gateway on ``port``, and what is observed.

    ``label`` names the fault's copies in the configuration.
    """

    label: str
    scene: Scene
    observation: Observation
    route: str
    key: str = ""
    port: int = 0
    _count: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    async def call(self) -> Reply:
        """Make one call as the observation's caller."""
        observation, scene = self.observation, self.scene
        request_id = f"{self.label}-{next(self._count)}"
        name = rewrite.name_in_copy(self.route, self.label)
        # Every prompt is another: nothing may be answered from what was answered before.
        prompt = f"Count to sixty. ({request_id})"
        body = request_body(observation.dialect, name, prompt, stream=observation.stream)
        limit = observation.timing.total + _GRACE
        sent, heard = await ask(self.port, observation.dialect, self.key, request_id, body, limit)
        secrets = [actor.secret for actor in scene.actors]
        secrets += [f"127.0.0.1:{port}" for port in scene.ports.values()]
        reply = read_reply(
            heard, observation.dialect, stream=observation.stream, request_id=request_id, secrets=(*secrets, self.key)
        )
        reply.sent = sent - scene.started
        suffix = rewrite.name_in_copy("", self.label)
        reply.headers = {name: value.removesuffix(suffix) for name, value in reply.headers.items()}
        return reply

    async def play(self) -> None:
        """Play the fault, then let all be well and call once more."""
        scene, observation = self.scene, self.observation
        scene.begin()
        if scene.fault.want is Want.ALL_ANSWERED:
            await self._outage()
        else:
            observation.replies.append(await self.call())
        scene.over = True
        observation.after = await self.call()
        observation.seen = scene.seen

    async def _outage(self) -> None:
        """Call in a steady beat while the primary is down, and until the traffic is back."""
        scene, timing = self.scene, self.observation.timing
        while True:
            begun = scene.now()
            self.observation.replies.append(await self.call())
            if not scene.is_down() and (not timing.returns or (scene.seen and scene.seen[-1].primary)):
                return
            if scene.now() > timing.down + timing.back:
                return
            await asyncio.sleep(max(0.0, timing.every - (scene.now() - begun)))


async def drill(plan: Plan, done: Callable[[], None]) -> list[Result]:
    """Play every fault of ``plan`` and judge it; ``done`` is called after each. Results are in the plan's order.

    Raises:
        StartError: a gateway does not start, or the disk cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="mainstay-drill-") as name:
        folder = Path(name)
        key = await asyncio.to_thread(prepare_home, folder / "var")
        gate = asyncio.Semaphore(_GATEWAYS)
        halls = itertools.product(plan.routes, plan.dialects, plan.modes)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(_drill_one(plan, route, dialect, stream, folder / str(number), key, gate, done))
                    for number, (route, dialect, stream) in enumerate(halls)
                ]
        except BaseExceptionGroup as group:
            raise _first_said(group) from None
        return [result for task in tasks for result in task.result()]


async def _drill_one(
    plan: Plan,
    route: str,
    dialect: Dialect,
    stream: bool,
    folder: Path,
    key: str,
    gate: asyncio.Semaphore,
    done: Callable[[], None],
) -> list[Result]:
    timing = timing_of(plan.document["routes"][route], fast=plan.fast)
    stages = [_stage(plan, route, dialect, stream, fault, timing) for fault in plan.faults]
    async with gate, AsyncExitStack() as stack:
        for stage in stages:
            await stack.enter_async_context(stage.scene.playing())
        ports = {stage.label: stage.scene.ports for stage in stages}
        text = rewrite.to_yaml(rewrite.copied(plan.document, route, ports))
        async with Gateway(folder, folder.parent / "var", text, os.environ) as gateway:
            for stage in stages:
                stage.key, stage.port = key, gateway.port
            await _play_all(stages, done)
        records = await gateway.records()
    for stage in stages:
        stage.observation.records = records
    return [Result(route, stage.observation, judge(stage.observation)) for stage in stages]


def _stage(plan: Plan, route: str, dialect: Dialect, stream: bool, fault: Fault, timing: Timing) -> Stage:
    label = f"drill{fault.number:02d}"
    actors = rewrite.cast(plan.document, route, label)
    speeches = {actor.model: actor.speech for actor in actors}
    observation = Observation(fault, timing, dialect, stream, speeches)
    resort = RouteConfig.model_validate(plan.document["routes"][route]).last_resort
    observation.last_resort = (resort.text or "") if resort is not None else ""
    return Stage(label, Scene(fault, timing, actors), observation, route)


async def _play_all(stages: Sequence[Stage], done: Callable[[], None]) -> None:
    gate = asyncio.Semaphore(_STAGES)

    async def play(stage: Stage) -> None:
        async with gate:
            await stage.play()
        done()

    # The longest first: the others then pass beside it.
    async with asyncio.TaskGroup() as group:
        for stage in sorted(stages, key=lambda stage: stage.scene.fault.want is not Want.ALL_ANSWERED):
            group.create_task(play(stage))


def _first_said(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first sentence among what went wrong: gateways that cannot start fail alike."""
    said = group.subgroup(SetupError)
    inner: BaseException = group if said is None else said
    while said is not None and isinstance(inner, BaseExceptionGroup):
        inner = inner.exceptions[0]
    return inner


def timing_of(route: Mapping[str, Any], *, fast: bool) -> Timing:
    """Return what the bounds of a route are made of; ``route`` is its row as written, and right."""
    row = RouteConfig.model_validate(route)
    limits = row.timeouts.limits()
    timing = Timing(
        limits.headers,
        limits.first_token,
        limits.idle,
        limits.total,
        # A model of last resort is asked beyond the route's own limit.
        row.attempts + (row.last_resort is not None and row.last_resort.model is not None),
        row.interrupted,
        patience=row.patience,
        around_filter=row.filtered == "fallback",
        # Other orders may rightly stay with a model that serves well.
        returns=row.choose == "first",
    )
    return replace(timing, retry_after=1.0, down=6.0, every=0.4, back=20.0, late=0.0) if fast else timing
