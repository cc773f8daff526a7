"""What a target can do and hold, found before it is asked."""

import base64
import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from mainstay.core.call import Ask, Call
from mainstay.core.errors import ContextOverflow, PolicyDenied, Unsupported
from mainstay.core.prompt import Prompt
from mainstay.core.target import Feature, Operation, Target
from mainstay.providers.tasks.embeddings import read_embeddings
from mainstay.routing.fit import fitting, larger, output_limit, permitted
from support.routing import make_call, make_target

PLAIN = make_target("plain")
TOOLLESS = make_target("toolless", lacks=frozenset({Feature.TOOLS, Feature.AUDIO}))
SMALL = make_target("small", window=2_000)
MIDDLE = make_target("middle", window=16_000)
LARGE = make_target("large", window=1_000_000)
TOOLS = {"tools": [{"type": "function", "function": {"name": "f"}}]}


def names(targets: Any) -> list[str]:
    return [target.model for target in targets]


def of_words(count: int, **fields: Any) -> Call:
    return make_call({"messages": [{"role": "user", "content": "word " * count}], **fields})


def with_image(kilobytes: int, slash: bytes = b"/") -> Call:
    data = base64.b64encode(random.Random(1).randbytes(kilobytes * 768)).decode()
    url = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
    call = make_call({"messages": [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, url]}]})
    return replace(call, ask=replace(call.ask, raw=call.ask.raw.replace(b"/", slash)))


def refuse(*_: Any) -> Any:
    raise AssertionError("nothing had to be read")


def test_a_route_without_limits_reads_nothing() -> None:
    call = make_call(TOOLS)
    blind = replace(call, ask=replace(call.ask, read=refuse, scan=refuse))
    targets = (PLAIN, make_target("other"))
    assert fitting(blind, targets) == (targets, ())


def test_a_target_that_lacks_what_is_needed_cannot() -> None:
    able, unfit = fitting(make_call(TOOLS), (TOOLLESS, PLAIN))
    assert names(able) == ["plain"]
    assert [(row.target.model, row.lacks, row.reason) for row in unfit] == [
        ("toolless", frozenset({Feature.TOOLS}), "lacks tools")
    ]
    error = unfit[0].error(make_call(TOOLS).ask)
    assert isinstance(error, Unsupported)
    assert error.param == "tools"
    assert "'toolless'" in error.message
    assert "tools" in error.message


def test_a_target_may_lack_what_is_not_needed() -> None:
    assert fitting(make_call(), (TOOLLESS, PLAIN)) == ((TOOLLESS, PLAIN), ())


def test_a_short_prompt_fits_everywhere_and_keeps_the_order() -> None:
    targets = (MIDDLE, SMALL, PLAIN)
    assert fitting(of_words(100), targets) == (targets, ())


def test_a_prompt_that_no_tokenizer_could_fit_is_not_sent() -> None:
    able, unfit = fitting(of_words(10_000), (SMALL, MIDDLE, LARGE, PLAIN))
    assert names(able) == ["large", "plain", "middle"]
    assert names(row.target for row in unfit) == ["small"]
    assert unfit[0].reason == f"at least {unfit[0].tokens} tokens for a window of 2000"
    assert 2_000 < unfit[0].tokens < 10_000
    error = unfit[0].error(of_words(10_000).ask)
    assert isinstance(error, ContextOverflow)
    assert "2000" in error.message


def test_a_doubtful_target_comes_after_those_that_surely_have_room() -> None:
    able, unfit = fitting(of_words(1_500), (SMALL, MIDDLE, PLAIN))
    assert (names(able), unfit) == (["middle", "plain", "small"], [])


def test_the_answer_the_caller_allows_needs_room_too_but_alone_proves_nothing() -> None:
    able, unfit = fitting(of_words(10, max_tokens=5_000), (SMALL, MIDDLE))
    assert (names(able), unfit) == (["middle", "small"], [])


@pytest.mark.parametrize("slash", [b"/", b"\\/"])
def test_an_image_is_not_counted_by_its_bytes(slash: bytes) -> None:
    able, unfit = fitting(with_image(200, slash), (SMALL, MIDDLE, LARGE))
    assert (names(able), unfit) == (["middle", "large", "small"], [])


def test_text_in_any_language_is_counted_as_text() -> None:
    for text in ("Это длинный вопрос. ", "这是一个很长的问题，请回答。", "if x:\n\t\treturn [1, 2, 3]\n"):
        for ascii_only in (True, False):
            body = {"model": "r", "messages": [{"role": "user", "content": text * 10_000}]}
            raw = json.dumps(body, ensure_ascii=ascii_only).encode()
            call = make_call()
            able, unfit = fitting(replace(call, ask=replace(call.ask, raw=raw)), (SMALL, LARGE))
            assert names(able) == ["large"]
            # Ten characters of a token are more than any tokenizer manages on prose.
            assert unfit[0].tokens <= len(text) * 10_000 / 2


def test_a_prompt_made_on_the_way_is_measured_too() -> None:
    call = of_words(10_000)
    made = replace(call, ask=replace(call.ask, raw=b"", _prompt=call.ask.prompt))
    assert names(fitting(made, (SMALL, PLAIN))[0]) == ["plain"]


@pytest.mark.parametrize(
    ("fields", "limit"),
    [
        ({}, None),
        ({"max_tokens": 7}, 7),
        ({"max_completion_tokens": 8}, 8),
        ({"max_completion_tokens": 8, "max_tokens": None}, 8),
        ({"max_output_tokens": 9}, 9),
        ({"user": "max_tokens"}, None),
    ],
)
def test_the_callers_limit_is_read_from_its_bytes(fields: dict[str, Any], limit: int | None) -> None:
    assert output_limit(make_call(fields).ask) == limit


def test_the_limit_of_a_body_made_on_the_way_is_the_prompts() -> None:
    ask = make_call().ask
    assert output_limit(replace(ask, raw=b"", _prompt=Prompt("m", (), max_tokens=5))) == 5


def test_a_limit_that_is_none_is_left_to_the_upstream() -> None:
    ask: Ask = replace(make_call().ask, raw=b'{"max_tokens": "many"}')
    assert output_limit(ask) is None


def test_after_an_overflow_larger_windows_come_first_and_unknown_ones_last() -> None:
    assert names(larger((PLAIN, SMALL, LARGE, MIDDLE), SMALL)) == ["large", "middle", "plain"]
    assert names(larger((PLAIN, SMALL, LARGE, MIDDLE), MIDDLE)) == ["large", "plain"]
    assert names(larger((SMALL, make_target("twin", window=2_000)), SMALL)) == []


def test_after_an_overflow_of_an_unknown_window_all_others_remain_the_largest_first() -> None:
    assert names(larger((SMALL, PLAIN, LARGE, make_target("other")), PLAIN)) == ["large", "small", "other"]


TARGETS = st.lists(
    st.builds(
        lambda window, lacks: (window, lacks),
        st.sampled_from([0, 10, 1_000, 100_000]),
        st.frozensets(st.sampled_from(list(Feature)), max_size=2),
    ),
    min_size=1,
    max_size=6,
)


@settings(deadline=None)
@given(TARGETS, st.integers(0, 30_000), st.booleans())
def test_every_target_can_or_cannot(rows: list[tuple[int, frozenset[Feature]]], words: int, tools: bool) -> None:
    targets = [make_target(str(i), window=window, lacks=lacks) for i, (window, lacks) in enumerate(rows)]
    able, unfit = fitting(of_words(words, **(TOOLS if tools else {})), targets)
    assert sorted(names(able) + names(row.target for row in unfit)) == names(targets)
    for target in able:
        assert not (tools and Feature.TOOLS in target.lacks)
    for row in unfit:
        # A "word " is one token: what is called certain is.
        assert row.lacks == {Feature.TOOLS} or words > row.target.window - 20


@given(TARGETS, st.integers(0, 5))
def test_larger_is_never_the_failed_one_nor_known_to_be_no_larger(
    rows: list[tuple[int, frozenset[Feature]]], place: int
) -> None:
    targets = [make_target(str(i), window=window) for i, (window, _) in enumerate(rows)]
    failed: Target = targets[place % len(targets)]
    found = larger(targets, failed)
    assert failed not in found
    assert all(not target.window or target.window > failed.window for target in found)
    assert {t.model for t in targets if not t.window or t.window > failed.window} - {failed.model} == set(names(found))


def test_a_target_that_cannot_be_asked_at_all_is_left_out_and_its_window_with_it() -> None:
    ask = read_embeddings(json.dumps({"model": "m", "input": ["x" * 1000] * 100}).encode())
    call = replace(make_call(), ask=ask)
    embeds = make_target("embeds", operations=frozenset({Operation.EMBEDDING}), window=512)
    talks = make_target("talks")
    ordered, unfit = fitting(call, [talks, embeds])
    assert names(ordered) == ["embeds"]
    assert [(one.target.model, one.reason) for one in unfit] == [("talks", "has no embeddings")]
    assert isinstance(unfit[0].error(call.ask), Unsupported)
    assert unfit[0].error(call.ask).param == "model"
    ordered, unfit = fitting(make_call(), [embeds, talks])
    assert names(ordered) == ["talks"]
    assert unfit[0].operation is Operation.CHAT


def test_what_is_no_text_has_no_limit_of_tokens() -> None:
    assert output_limit(read_embeddings(b'{"model":"m","input":"x","max_tokens":5}')) is None


def test_targets_that_are_forbidden_are_left_out_and_where_none_is_left_the_first_says_why() -> None:
    targets = [make_target(name) for name in "abc"]
    errors = {name: PolicyDenied(f"not {name}") for name in "abc"}
    assert permitted(targets, lambda target: errors[target.model] if target.model != "b" else None) == [targets[1]]
    assert permitted(targets, lambda _: None) == targets
    with pytest.raises(PolicyDenied, match="not a"):
        permitted(targets, lambda target: errors[target.model])
