"""The step that lets calls in: whom policies forbid what is asked of every target, with what is known of its data."""

from collections.abc import Awaitable
from typing import Any

import pytest
from msgspec.structs import replace

from mainstay.core.answer import Answer
from mainstay.core.call import Call, Caller
from mainstay.core.errors import InvalidRequest, PolicyDenied
from mainstay.core.record import RailVerdict
from mainstay.core.target import Target
from mainstay.governance.cedar import STARTER, PolicyText, read_policies
from mainstay.governance.policy import ModelFacts, Policies
from mainstay.governance.stage import Admit, Rule, seen
from support.routing import make_call, make_target

pytestmark = pytest.mark.anyio

NEAR, FAR = make_target("near"), make_target("far")
PERSONAL = f"""@id("all") {STARTER}
@id("stays") forbid(principal, action, resource)
when {{ context.data.containsAny(["personal", "unchecked"]) && !resource.local }};"""
TEAM = f"""@id("all") {STARTER} @id("team") forbid(principal in Team::"out", action, resource);
@id("far") forbid(principal in Team::"half", action, resource == Model::"far");"""
PURPOSE = '@id("research") permit(principal, action, resource) when { context.purpose == "research" };'


def rule(text: str, *targets: Target, **options: Any) -> Rule:
    facts = (ModelFacts("near", local=True), ModelFacts("far"))
    return Rule(Policies(read_policies([PolicyText("/etc/a.cedar", text)]), facts), targets or (FAR, NEAR), **options)


async def admitted(admit: Admit, call: Call) -> Call:
    """Return the call as it goes on."""
    went: list[Call] = []

    def onward(call: Call) -> Awaitable[Answer]:
        went.append(call)

        async def answer() -> Answer:
            return Answer(NEAR)

        return answer()

    await admit(call, onward)
    return went[0]


def verdict(
    rail: str, outcome: str = "flagged", where: str = "input", *, enforced: bool = True, **kinds: int
) -> RailVerdict:
    return RailVerdict(rail, where, outcome, enforced, kinds)


async def test_what_a_rail_finds_after_the_step_counts_when_a_target_is_chosen() -> None:
    call = await admitted(Admit(rule(PERSONAL)), make_call())
    assert call.forbids is not None
    assert call.forbids(FAR) is None
    call.record.verdicts.append(verdict("personal", email=1))
    error = call.forbids(FAR)
    assert isinstance(error, PolicyDenied)
    assert error.extra == {"policies": ["stays"]}
    assert call.forbids(NEAR) is None


async def test_each_model_that_is_forbidden_is_noted_once_with_who_asked_and_what_was_found() -> None:
    caller = Caller("key_1", "alice", "web", organisation="default")
    call = await admitted(Admit(rule(PERSONAL)), make_call(caller=caller))
    call.record.verdicts.append(verdict("personal", email=2))
    assert call.forbids is not None
    for target in (FAR, NEAR, FAR):
        call.forbids(target)
    [denial] = call.record.denials
    assert (denial.model, denial.policies, denial.key) == ("far", ["stays"], "key_1")
    assert denial.data == ["email", "personal"]
    assert len(denial.version) == 12


async def test_a_call_that_no_finding_could_save_is_refused_before_anything_is_done() -> None:
    admit = Admit(rule(TEAM))
    with pytest.raises(PolicyDenied, match="'team'"):
        await admitted(admit, make_call(caller=Caller("k", team="out")))
    call = await admitted(admit, make_call(caller=Caller("k", team="half")))
    assert call.forbids is not None
    assert call.forbids(FAR) is not None
    assert call.forbids(NEAR) is None


async def test_where_findings_count_nothing_is_refused_before_the_rails_have_looked() -> None:
    text = '@id("looked") permit(principal, action, resource) when { context.checked.contains("personal") };'
    call = await admitted(Admit(rule(text)), make_call())
    assert call.forbids is not None
    assert call.forbids(NEAR) is not None
    call.record.verdicts.append(verdict("personal", "passed"))
    assert call.forbids(NEAR) is None


@pytest.mark.parametrize(
    ("purpose", "given", "permitted"),
    [("research", None, True), ("", b"research", True), ("", b"sales", False), ("", None, False)],
)
async def test_the_purpose_is_the_routes_or_what_the_caller_says(
    purpose: str, given: bytes | None, permitted: bool
) -> None:
    call = make_call(given={b"x-mainstay-purpose": given} if given is not None else {})
    admit = Admit(rule(PURPOSE, purpose=purpose))
    if permitted:
        assert (await admitted(admit, call)).forbids is not None
    else:
        with pytest.raises(PolicyDenied, match="No policy permits"):
            await admitted(admit, call)


@pytest.mark.parametrize("given", [b"sales", b"Two words", b"", b"\xff", b"x" * 41])
async def test_a_purpose_that_may_not_be_said_is_refused(given: bytes) -> None:
    admit = Admit(rule(PURPOSE, purposes=frozenset({"research"})))
    with pytest.raises(InvalidRequest) as refused:
        await admitted(admit, make_call(given={b"x-mainstay-purpose": given}))
    assert refused.value.param == "x-mainstay-purpose"


async def test_a_route_with_a_purpose_takes_no_other() -> None:
    admit = Admit(rule(PURPOSE, purpose="research"))
    with pytest.raises(InvalidRequest, match="'research'"):
        await admitted(admit, make_call(given={b"x-mainstay-purpose": b"sales"}))
    await admitted(admit, make_call(given={b"x-mainstay-purpose": b"research"}))


async def test_what_is_done_to_a_call_on_its_way_keeps_the_question() -> None:
    call = await admitted(Admit(rule(TEAM)), make_call(caller=Caller("k", team="half")))
    later = replace(call, ask=call.ask.asking(call.ask.prompt), wished_model="far")
    assert later.forbids is not None
    assert later.forbids(FAR) is not None


def test_what_rails_let_out_masked_and_looked_for_is_told_apart() -> None:
    found = seen(
        [
            verdict("p1", "masked", email=2),
            verdict("p2", "flagged", iban=1),
            verdict("secrets", "passed"),
            verdict("hate", "flagged", "output", hate=1),
        ],
        {"p1": "personal", "p2": "personal"},
    )
    assert found == ({"personal", "iban"}, {"personal", "email"}, {"personal", "secrets"})


def test_what_is_masked_in_monitor_mode_is_let_out() -> None:
    data, masked, _ = seen([verdict("personal", "masked", enforced=False, email=1)], {})
    assert (data, masked) == ({"personal", "email"}, set())


def test_a_rail_that_could_not_look_leaves_the_data_unchecked() -> None:
    assert seen([verdict("personal", "failed")], {}) == ({"unchecked"}, set(), set())
