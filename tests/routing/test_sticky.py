"""``choose: sticky``: one conversation, one target, worked out from the call alone."""

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mainstay.core.call import Call, Caller
from mainstay.providers.openai import read_ask
from mainstay.routing.first import First
from mainstay.routing.sticky import Sticky, conversation_key
from support.routing import FixedLoad, call_of_bytes, make_call, make_target

ABCD = [make_target(name) for name in "abcd"]


def user(text: Any, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": text, **more}


def conversation(number: int) -> Call:
    return make_call({"user": f"u{number}"})


def raw_call(body: dict[str, Any]) -> Call:
    """Return a call whose body is of another dialect than the reader of the test."""
    call = make_call()
    return replace(call, ask=replace(call.ask, raw=json.dumps(body).encode()))


def test_a_conversation_keeps_its_target_as_it_grows() -> None:
    opening = [{"role": "system", "content": "Be brief."}, user("Where is Fiji?")]
    grown = [*opening, {"role": "assistant", "content": "In the Pacific."}, user("And Malta?")]
    first, second = make_call({"messages": opening}), make_call({"messages": grown, "temperature": 1})
    assert conversation_key(first) == conversation_key(second) is not None
    assert Sticky({}).order(first, ABCD) == Sticky({}).order(second, ABCD)


def test_the_order_is_the_same_in_every_process() -> None:
    order = Sticky({}).order(make_call({"prompt_cache_key": "k1"}), ABCD)
    assert [target.model for target in order] == ["b", "c", "d", "a"]


def test_marks_that_move_with_the_conversation_do_not_change_the_key() -> None:
    part = {"type": "text", "text": "Where is Fiji?"}
    plain = raw_call({"system": [{"type": "text", "text": "Be brief."}], "messages": [user([part])]})
    marked = raw_call(
        {
            "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
            "messages": [user([{**part, "cache_control": {"type": "ephemeral"}}]), user("And Malta?")],
        }
    )
    assert conversation_key(plain) == conversation_key(marked) is not None


IDS: list[dict[str, Any]] = [
    {"prompt_cache_key": "p"},
    {"metadata": {"session_id": "s"}},
    {"metadata": {"conversation_id": "c"}},
    {"metadata": {"thread_id": "t"}},
    {"conversation": {"id": "conv_1"}},
    {"user": "u"},
    {"metadata": {"user_id": "user_1_session_2"}},
]


@pytest.mark.parametrize("place", range(len(IDS)))
def test_the_first_id_that_is_there_decides(place: int) -> None:
    alone = conversation_key(raw_call({**IDS[place], "messages": [user("x")]}))
    merged: dict[str, Any] = {"messages": [user("y")]}
    for fields in IDS[place:]:
        merged |= fields | {"metadata": merged.get("metadata", {}) | fields.get("metadata", {})}
    assert conversation_key(raw_call(merged)) == alone
    assert alone != conversation_key(raw_call({"messages": [user("x")]}))


@pytest.mark.parametrize("name", [b"x-session-id", b"session_id", b"x-claude-code-session-id"])
def test_a_session_header_decides_before_any_field(name: bytes) -> None:
    one, other = make_call({"user": "u1"}, given={name: b"s"}), make_call({"user": "u2"}, given={name: b"s"})
    assert conversation_key(one) == conversation_key(other) != conversation_key(make_call({"user": "u1"}))
    assert conversation_key(one) != conversation_key(make_call({"user": "u1"}, given={name: b"t"}))


def test_an_empty_session_header_is_none() -> None:
    assert conversation_key(make_call(given={b"x-session-id": b""})) == conversation_key(make_call())


@pytest.mark.parametrize("empty", [{"user": None}, {"user": ""}, {"metadata": None}, {"metadata": {}}])
def test_an_empty_id_is_none(empty: dict[str, Any]) -> None:
    assert conversation_key(make_call(empty)) == conversation_key(make_call())


def test_ids_are_the_tenants_own_and_texts_are_not() -> None:
    one, other, same = Caller("k1", team="t1"), Caller("k2", team="t2"), Caller("k3", team="t1")
    keys = [conversation_key(make_call({"user": "1"}, caller=caller)) for caller in (one, other, same)]
    assert keys[0] == keys[2] != keys[1]
    assert conversation_key(make_call(caller=one)) == conversation_key(make_call(caller=other))


def test_the_system_prompt_and_the_first_turn_are_told_apart() -> None:
    split = [{"role": "system", "content": "ab"}, user("c")]
    other = [{"role": "system", "content": "a"}, user("bc")]
    assert conversation_key(make_call({"messages": split})) != conversation_key(make_call({"messages": other}))


def test_a_turn_of_images_only_is_still_a_conversation() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    other = {"type": "image_url", "image_url": {"url": "https://example.com/b.png"}}
    keys = {conversation_key(make_call({"messages": [user([part])]})) for part in (image, other)}
    assert len(keys) == 2
    assert None not in keys


def test_a_prompt_that_was_changed_on_the_way_keeps_its_conversation() -> None:
    opening = [{"role": "system", "content": "s"}, user("q")]
    calls = [make_call({"messages": opening}), make_call({"messages": [*opening, user("r")]})]
    changed = [replace(call, ask=replace(call.ask, raw=b"", _prompt=call.ask.prompt)) for call in calls]
    assert conversation_key(changed[0]) == conversation_key(changed[1]) is not None
    named = make_call({"user": "u"})
    assert conversation_key(replace(named, ask=replace(named.ask, raw=b"", _prompt=named.ask.prompt))) is not None


@pytest.mark.parametrize(
    "body",
    [
        {"input": "a text to embed"},
        {"input": ["one", "two"]},
        {"messages": "none"},
        {"messages": [{"role": "system", "content": "s"}]},
        {},
    ],
)
def test_a_call_without_a_conversation_goes_to_the_least_loaded(body: dict[str, Any]) -> None:
    call = raw_call(body)
    assert conversation_key(call) is None
    loads = {"a": FixedLoad(outstanding=9000), "b": FixedLoad(outstanding=10)}
    assert Sticky(loads).order(call, ABCD[:2])[0].model == "b"
    assert [target.model for target in Sticky(loads, First()).order(call, ABCD)] == ["a", "b", "c", "d"]


def test_a_body_that_is_no_json_has_no_conversation() -> None:
    call = make_call()
    assert conversation_key(replace(call, ask=replace(call.ask, raw=b'{"user": "u", "messages": ['))) is None


def test_conversations_are_shared_by_weight() -> None:
    targets = [make_target("a", weight=6.0), make_target("b", weight=3.0), make_target("c", weight=1.0)]
    firsts = Counter(Sticky({}).order(conversation(i), targets)[0].model for i in range(3000))
    assert [firsts[name] / 3000 for name in "abc"] == pytest.approx([0.6, 0.3, 0.1], abs=0.03)


def test_a_target_that_leaves_moves_only_its_own_conversations() -> None:
    sticky = Sticky({})
    for number in range(300):
        before = sticky.order(conversation(number), ABCD)
        after = sticky.order(conversation(number), [target for target in ABCD if target.model != "b"])
        assert [target for target in before if target.model != "b"] == list(after)


def test_an_overloaded_favourite_steps_back_until_it_has_caught_up() -> None:
    call = conversation(1)
    loads = {target.model: FixedLoad(outstanding=20_000) for target in ABCD}
    sticky = Sticky(loads)
    at_rest = list(sticky.order(call, ABCD))
    favourite = at_rest[0].model
    loads[favourite].outstanding = 50_000
    assert list(sticky.order(call, ABCD)) == at_rest  # 30,000 above the least
    loads[favourite].outstanding = 60_000
    assert list(sticky.order(call, ABCD)) == [*at_rest[1:], at_rest[0]]
    for load in loads.values():
        load.outstanding += 100_000
    assert list(sticky.order(call, ABCD)) == at_rest  # 40,000 above 120,000 is no half


def test_load_is_measured_against_the_weight() -> None:
    targets = [make_target("a", weight=9.0), make_target("b", weight=1.0)]
    loads = {"a": FixedLoad(outstanding=90_000), "b": FixedLoad(outstanding=10_000)}
    for number in range(50):
        call = conversation(number)
        assert list(Sticky(loads).order(call, targets)) == list(Sticky({}).order(call, targets))


def test_one_hot_conversation_does_not_drown_its_target() -> None:
    loads = {target.model: FixedLoad() for target in ABCD}
    sticky = Sticky(loads)
    for _ in range(400):
        loads[sticky.order(conversation(1), ABCD)[0].model].outstanding += 2000
    tokens = [load.outstanding for load in loads.values()]
    assert max(tokens) <= max(min(tokens) + 32_768, 1.5 * min(tokens)) + 2000


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["prompt_cache_key", "conversation", "metadata", "user", "system", "instructions", "messages", "input"]
)


@given(st.dictionaries(FIELDS, JSON))
def test_any_body_has_a_key_or_none(body: dict[str, Any]) -> None:
    call = raw_call(body)
    assert conversation_key(call) == conversation_key(call)
    assert sorted(t.model for t in Sticky({}).order(call, ABCD)) == list("abcd")


@given(st.text(min_size=1), st.text(max_size=20))
def test_the_same_opening_gives_the_same_key_however_the_body_is_written(text: str, system: str) -> None:
    body = {"model": "r", "messages": [{"role": "system", "content": system}, user(text)]}
    one = call_of_bytes(json.dumps(body).encode())
    other = call_of_bytes(json.dumps(body | {"messages": [*body["messages"], user("more")]}, indent=1).encode())
    assert conversation_key(one) == conversation_key(other)
    assert read_ask(one.ask.raw).raw == one.ask.raw
