"""The last stage asks the provider that the target names."""

import asyncio
import json
from typing import Any

import pytest

from mainstay.core.answer import Answer
from mainstay.core.call import Call, Caller
from mainstay.core.errors import Unavailable, Unsupported
from mainstay.core.record import Attempt, Record
from mainstay.core.target import Feature, Target
from mainstay.core.timeouts import Timeouts
from mainstay.providers.null import NullProvider
from mainstay.providers.openai import read_ask
from mainstay.providers.stage import CallProvider

NOWHERE: Any = None


class Noting:
    """A provider that answers with nothing but its target."""

    def __init__(self) -> None:
        self.asked: list[tuple[Target, Attempt]] = []

    async def answer(self, call: Call, target: Target, attempt: Attempt) -> Answer:
        self.asked.append((target, attempt))
        return Answer(target)

    async def aclose(self) -> None:
        """Nothing to let go of."""


def call_for(provider: str, lacks: frozenset[Feature] = frozenset(), **fields: Any) -> Call:
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}], **fields}
    target = Target("m", provider, "openai", "m", lacks=lacks)
    record = Record.opened("chat", "POST", "/")
    attempt = Attempt("m", provider, "first")
    ask = read_ask(json.dumps(body).encode())
    return Call(ask, record, Caller("k"), "m", (), 0.0, 1.0, Timeouts(), target=target, attempt=attempt)


def test_the_targets_provider_is_asked_with_the_attempt() -> None:
    one, other = Noting(), Noting()
    call = call_for("other")
    answer = asyncio.run(CallProvider({"one": one, "other": other})(call, NOWHERE))
    assert answer.target is call.target
    assert one.asked == []
    assert other.asked == [(call.target, call.attempt)]


def test_a_provider_that_does_not_run_is_unavailable_for_a_moment() -> None:
    with pytest.raises(Unavailable) as caught:
        asyncio.run(CallProvider({"none": NullProvider()})(call_for("none"), NOWHERE))
    assert caught.value.retry_after == 1


IMAGE = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.com/x.png"}}]}]
TOOLS = [{"type": "function", "function": {"name": "f"}}]


@pytest.mark.parametrize(
    ("feature", "fields", "param"),
    [
        (Feature.IMAGES, {"messages": IMAGE}, "messages[0].content[0]"),
        (Feature.TOOLS, {"tools": TOOLS}, "tools"),
        (Feature.CHOICES, {"n": 2}, "n"),
        (Feature.SEED, {"seed": 1}, "seed"),
    ],
)
def test_what_a_target_lacks_is_refused_whoever_provides_it(
    feature: Feature, fields: dict[str, Any], param: str
) -> None:
    provider = Noting()
    stage = CallProvider({"one": provider})
    with pytest.raises(Unsupported) as caught:
        asyncio.run(stage(call_for("one", frozenset({feature}), **fields), NOWHERE))
    assert caught.value.param == param
    assert provider.asked == []
    others = frozenset(Feature) - {feature}
    asyncio.run(stage(call_for("one", others, **fields), NOWHERE))
    assert len(provider.asked) == 1
