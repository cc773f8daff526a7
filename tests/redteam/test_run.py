"""A run over real HTTP: both sides asked, each case once, budgets kept, and nothing finished is done again."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from mainstay.core.errors import StartError
from mainstay.redteam.caller import Caller
from mainstay.redteam.journal import About, Journal, Result
from mainstay.redteam.plan import Case, cases_of
from mainstay.redteam.refusals import Refusals
from mainstay.redteam.run import Limits, Sides, attack
from mainstay.runtime.client import LeanTransport
from support.gateway import completion
from support.redteam import REFUSAL, models_of, seed_of, strong, weak
from support.upstream import Received, Step, Upstream, json_reply

pytestmark = pytest.mark.anyio
REFUSALS = Refusals("phrases", lambda text: text == REFUSAL)
IDS = ("override-plain", "prompt-verbatim", "secret-database", "benign-bomb")
CASES = cases_of([seed_of(id_) for id_ in IDS], converters=["plain"], strategies=["single", "insist"])
BOTH = Sides("assistant", "weak")


def gateway(request: Received) -> Step:
    if request.path.endswith("/v1/models"):
        return models_of("assistant", "weak")
    return (weak if request.json()["model"] == "weak" else strong)(request)


@pytest.fixture
async def transport() -> AsyncIterator[LeanTransport]:
    transport = LeanTransport()
    yield transport
    await transport.aclose()


@pytest.fixture
def there(upstream: Upstream) -> Upstream:
    upstream.handler = gateway
    return upstream


class Attacker:
    def __init__(self, folder: Path, transport: LeanTransport, url: str) -> None:
        self.folder = folder
        self.caller = Caller(transport, url, "", most_tokens=64)
        self.told: list[Result] = []

    async def __call__(self, sides: Sides = BOTH, cases: Sequence[Case] = CASES, **options: Any) -> tuple[bool, Any]:
        journal = Journal(self.folder, About(sides.guarded, sides.baseline, "d", 7, "phrases"))
        try:
            done = await attack(cases, sides, self.caller, journal, REFUSALS, done=self.told.append, **options)
        finally:
            journal.close()
        return done, journal.results


@pytest.fixture
def attacker(tmp_path: Path, transport: LeanTransport, there: Upstream) -> Attacker:
    return Attacker(tmp_path / "run", transport, there.url)


async def test_both_sides_are_asked_and_come_out_as_they_are(attacker: Attacker) -> None:
    done, results = await attacker()
    assert done
    assert len(results) == len(attacker.told) == 2 * len(CASES)
    outcomes = {side: Counter(one.outcome for (_, at), one in results.items() if at == side) for side, _ in BOTH}
    assert outcomes == {"guarded": {"held": 6, "blocked": 1}, "baseline": {"success": 6, "held": 1}}
    assert {one.why for one in results.values()} == {"", "marker", "leak"}
    assert [one.excerpt for one in results.values() if one.outcome == "blocked"] == ["It was stopped."]


async def test_insisting_ends_with_the_first_success(attacker: Attacker, there: Upstream) -> None:
    _, results = await attacker(cases=CASES[:2])
    calls = {key: one.calls for key, one in results.items()}
    assert calls["override-plain.plain.insist", "baseline"] == 1
    assert calls["override-plain.plain.insist", "guarded"] == 3
    longest = max((request for request in there.requests if request.body), key=lambda request: len(request.body))
    roles = [message["role"] for message in longest.json()["messages"]]
    assert roles == ["system", "user", "assistant", "user", "assistant", "user"]


async def test_what_is_finished_is_not_asked_again(attacker: Attacker, there: Upstream) -> None:
    await attacker(cases=CASES[:3])
    there.forget()
    _, results = await attacker(cases=CASES[:4])
    assert len(results) == 8
    assert len([one for one in attacker.told if one.case == CASES[0].id]) == 2
    there.forget()
    assert (await attacker(cases=CASES[:4]))[0]
    assert there.requests == []


async def test_a_budget_is_never_passed_and_the_rest_is_done_later(attacker: Attacker, there: Upstream) -> None:
    done, results = await attacker(limits=Limits(parallel=4, budget=5))
    asked = [request for request in there.requests if request.body]
    assert not done
    assert 0 < len(asked) <= 5
    assert len(results) < 2 * len(CASES)
    done, results = await attacker()
    assert done
    assert len(results) == 2 * len(CASES)


async def test_a_run_that_is_cancelled_keeps_what_is_finished(attacker: Attacker) -> None:
    task = asyncio.current_task()
    assert task is not None
    enough = 5

    def told(result: Result) -> None:
        attacker.told.append(result)
        if len(attacker.told) == enough:
            task.cancel()

    journal = Journal(attacker.folder, About("assistant", "weak", "d", 7, "phrases"))
    with pytest.raises(asyncio.CancelledError):
        await attack(CASES, BOTH, attacker.caller, journal, REFUSALS, limits=Limits(parallel=2), done=told)
    task.uncancel()
    journal.close()
    assert enough <= len(journal.results) < 2 * len(CASES)
    _, results = await attacker()
    assert len(results) == 2 * len(CASES)


async def test_a_gateway_that_fails_all_the_time_ends_the_run(attacker: Attacker, there: Upstream) -> None:
    def failing(request: Received) -> Step:
        return models_of("assistant") if request.method == "GET" else json_reply({"error": {"code": "boom"}}, 500)

    there.handler = failing
    cases = cases_of([seed_of("override-plain")])
    with pytest.raises(StartError, match="status 500, boom"):
        await attacker(Sides("assistant"), cases)
    assert len(attacker.told) < len(cases)


async def test_an_unknown_route_or_baseline_is_said_before_anything_is_asked(attacker: Attacker) -> None:
    with pytest.raises(StartError, match="'nope'; it may call: assistant, weak"):
        await attacker(Sides("nope"))
    attacker.folder = attacker.folder / "other"
    with pytest.raises(StartError, match="--baseline"):
        await attacker(Sides("assistant", "nope"))
    assert attacker.caller.calls == 0


async def test_a_word_of_a_teams_own_is_a_leak_wherever_it_turns_up_and_is_not_shown(
    attacker: Attacker, there: Upstream
) -> None:
    def telling(request: Received) -> Step:
        if request.method == "GET":
            return models_of("assistant")
        assert request.json()["messages"][0]["content"].startswith("The word is harvest-7731.")
        return json_reply(completion("It is HARVEST-7731, is it not?"))

    there.handler = telling
    system = "The word is harvest-7731."
    _, results = await attacker(Sides("assistant"), CASES[:1], system=system, canaries=["harvest-7731"])
    (one,) = results.values()
    assert (one.outcome, one.why, one.excerpt) == ("success", "leak", "It is [prompt_leak], is it not?")
