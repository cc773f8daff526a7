"""The last stage asks the provider that the target names."""

import asyncio
import json
from typing import Any

import pytest
from msgspec.structs import replace

from mainstay.core.answer import Answer
from mainstay.core.call import Ask, Call, Caller
from mainstay.core.errors import Unavailable, Unsupported
from mainstay.core.record import Attempt, Record
from mainstay.core.target import TALKS, Feature, Operation, Target
from mainstay.core.timeouts import Timeouts
from mainstay.providers.completions import read_ask as read_completion
from mainstay.providers.null import NullProvider
from mainstay.providers.openai import read_ask
from mainstay.providers.stage import CallProvider
from mainstay.providers.tasks.embeddings import read_embeddings

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


def other_call(ask: Ask, provider: str, operations: frozenset[Operation]) -> Call:
    target = Target("m", provider, "openai", "m", operations=operations)
    record = Record.opened(ask.operation, "POST", "/")
    attempt = Attempt("m", provider, "first")
    return Call(ask, record, Caller("k"), "m", (), 0.0, 1.0, Timeouts(), target=target, attempt=attempt)


EMBED = read_embeddings(b'{"model":"m","input":"x"}')


def test_a_provider_is_picked_by_name_and_operation() -> None:
    talker, embedder = Noting(), Noting()
    stage = CallProvider({"one": talker}, {Operation.EMBEDDING: {"one": embedder}})
    asyncio.run(stage(other_call(EMBED, "one", TALKS | {Operation.EMBEDDING}), NOWHERE))
    asyncio.run(stage(call_for("one"), NOWHERE))
    assert (len(talker.asked), len(embedder.asked)) == (1, 1)


@pytest.mark.parametrize("operations", [TALKS, frozenset({Operation.EMBEDDING})])
def test_an_operation_nobody_has_is_refused(operations: frozenset[Operation]) -> None:
    with pytest.raises(Unsupported, match="has no embeddings") as caught:
        asyncio.run(CallProvider({"one": Noting()})(other_call(EMBED, "one", operations), NOWHERE))
    assert caught.value.param == "model"


def test_a_model_that_is_not_for_talking_is_not_talked_to() -> None:
    call = call_for("one")
    assert call.target is not None
    silent = replace(call, target=replace(call.target, operations=frozenset({Operation.EMBEDDING})))
    for providers in ({"one": Noting()}, {}):
        with pytest.raises(Unsupported, match="has no chat"):
            asyncio.run(CallProvider(providers)(silent, NOWHERE))


def test_a_completion_is_a_conversation_where_nobody_completes() -> None:
    talker = Noting()
    ask = read_completion(b'{"model":"m","prompt":"x"}')
    asyncio.run(CallProvider({"one": talker})(other_call(ask, "one", TALKS), NOWHERE))
    assert len(talker.asked) == 1
    with pytest.raises(Unsupported, match="text_completion"):
        asyncio.run(CallProvider({})(other_call(ask, "one", TALKS), NOWHERE))
