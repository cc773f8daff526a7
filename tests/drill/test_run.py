"""Conducting a drill, against gateways that behave badly; the command's own test drills the real one."""

import asyncio
import json
from dataclasses import replace

import pytest

from mainstay.core.errors import StartError
from mainstay.drill import rewrite
from mainstay.drill.faults import FAULTS, Timing
from mainstay.drill.judge import Observation, Score, Verdict, judge
from mainstay.drill.run import Plan, Stage, drill, timing_of
from mainstay.drill.upstream import Scene
from support.fake_gateway import Asked, Behaviour, fake_gateway

pytestmark = pytest.mark.anyio

QUICK = Timing(1, 0.3, 0.3, 30, 4, retry_after=1, late=0, down=0.3, every=0.1)
#: A call is given up some seconds after its total: here, at once.
HASTY = replace(QUICK, total=-4.7)
DONE = b"data: [DONE]\n\n"


async def judged(number: int, behaviour: Behaviour, timing: Timing = QUICK) -> Verdict:
    """Play one fault against a fake gateway."""
    fault = FAULTS[number - 1]
    providers = {"primary": {"kind": "openai"}, "spare": {"kind": "openai"}}
    actors = rewrite.cast(rewrite.DEMO | {"providers": providers}, "demo", "d")
    scene = Scene(fault, timing, actors)
    observation = Observation(fault, timing, "openai", True, {actor.model: actor.speech for actor in actors})
    async with scene.playing():
        targets = [(scene.ports[actor.provider], actor.speech.upstream) for actor in actors]
        async with fake_gateway(behaviour, targets) as port:
            await Stage("d", scene, observation, "demo", "ms-key", port).play()
    return judge(observation)


async def fail_over(asked: Asked) -> None:
    """What is right: the first answer that is whole."""
    for target, name in ((0, "main-model@d"), (1, "spare-model@d")):
        status, body = await asked.ask(target)
        if status == 200 and body.endswith(DONE):
            asked.stream(body, target=name)
            return


async def pass_on(asked: Asked) -> None:
    """Hands on whatever the first provider says, and ends as if all were well."""
    status, body = await asked.ask(0)
    asked.answer(status or 502, body, kind="text/event-stream" if status == 200 else "application/json")


async def pretend(asked: Asked) -> None:
    """Adds an end to what has none."""
    _, body = await asked.ask(0)
    asked.stream(body if body.endswith(DONE) else body + DONE)


async def begin_anew(asked: Asked) -> None:
    """Sends the fallback's answer behind the broken one."""
    _, body = await asked.ask(0)
    if not body.endswith(DONE):
        body += (await asked.ask(1))[1]
    asked.stream(body)


async def hammer(asked: Asked) -> None:
    """Asks the first provider again and again."""
    for _ in range(8):
        status, body = await asked.ask(0)
        if status == 200:
            asked.stream(body, target="main-model@d")
            return
    asked.stream((await asked.ask(1))[1], target="spare-model@d")


async def hang(asked: Asked) -> None:
    """Never answers."""
    await asyncio.Event().wait()


async def shrug(asked: Asked) -> None:
    """Answers every failure with a success that holds nothing."""
    status, body = await asked.ask(0)
    asked.stream(body if status == 200 else DONE, target="main-model@d")


async def refuse(asked: Asked) -> None:
    """Answers every failure with a clean error."""
    status, body = await asked.ask(0)
    if status == 200 and body.endswith(DONE):
        asked.stream(body, target="main-model@d")
        return
    error = {
        "message": "The upstream failed; try again.",
        "type": "api_error",
        "param": None,
        "code": "upstream_failed",
    }
    asked.answer(502, json.dumps({"error": error}).encode())


@pytest.mark.parametrize(
    ("number", "behaviour", "score", "reason"),
    [
        (4, fail_over, Score.PASS, ""),
        (8, fail_over, Score.PASS, ""),
        (8, pass_on, Score.FAIL, "the answer ended after 40 of 60 tokens, without an error"),
        (8, pretend, Score.FAIL, "[DONE] without a finish reason"),
        (8, begin_anew, Score.FAIL, "the id changes within the stream"),
        (10, pass_on, Score.FAIL, "forwards the event of invalid JSON"),
        (4, pass_on, Score.FAIL, "tells the caller 'sk-drill-d-0f4c2a9e7d1', which is the provider's"),
        (4, hammer, Score.PARTIAL, "8 calls of the primary (at most 3)"),
        (4, hang, Score.FAIL, "no end within"),
        (4, shrug, Score.FAIL, "[DONE] without a finish reason"),
        (4, refuse, Score.SAFE, "an error instead of an answer (502 upstream_failed)"),
        (1, fail_over, Score.PARTIAL, "1 call of the primary, which would have answered the next (expected 2)"),
        (1, hammer, Score.PARTIAL, "asked again after 0.0 s (retry-after said 1)"),
        (15, fail_over, Score.PASS, ""),
        (15, refuse, Score.SAFE, "calls got an error (502 upstream_failed)"),
    ],
)
async def test_each_kind_of_gateway_gets_its_score(
    number: int, behaviour: Behaviour, score: Score, reason: str
) -> None:
    found = await judged(number, behaviour, HASTY if behaviour is hang else QUICK)
    assert found.score is score, found
    assert reason in (found.reasons or ("",))[0]


def test_the_bounds_are_the_routes_own() -> None:
    timing = timing_of({"targets": ["m"], "attempts": 2, "timeouts": {"first_token": "3s", "total": "9s"}}, fast=False)
    assert (timing.first_token, timing.total, timing.attempts, timing.down) == (3, 9, 2, 60)
    assert timing_of({"targets": ["m"]}, fast=True).down == 6
    row = {
        "targets": ["m"],
        "patience": "1s",
        "filtered": "fallback",
        "choose": "fastest",
        "last_resort": {"model": "n"},
    }
    timing = timing_of(row, fast=False)
    assert (timing.patience, timing.around_filter, timing.returns, timing.attempts) == (1, True, False, 5)


async def test_a_gateway_that_cannot_start_is_one_sentence() -> None:
    document = {**rewrite.DEMO, "store": {}, "server": {"workers": 1, "max_body": "nonsense"}}
    plan = Plan(document, ["demo"], ["openai"], [True], [FAULTS[3]], fast=True)
    with pytest.raises(StartError, match=r"did not start: .*max_body"):
        await drill(plan, lambda: None)
