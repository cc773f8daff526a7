"""What the scripted provider writes."""

import json

import pytest

from mainstay.drill import wire
from mainstay.drill.faults import Play
from mainstay.drill.wire import TOKENS, Kind, Speech

KINDS: list[Kind] = ["openai", "anthropic"]
ERRORS = [Play.LIMITED, Play.LIMITED_BARE, Play.FAILED, Play.UNAVAILABLE, Play.OUTAGE]
REFUSALS = [Play.TOO_LONG, Play.FILTERED, Play.NO_PREFILL]


def test_two_targets_never_say_the_same_word() -> None:
    first, second = Speech("a", "m", 100), Speech("b", "m", 110)
    assert len(first.words) == TOKENS
    assert not set(first.text.split()) & set(second.text.split())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("play", [*ERRORS, *REFUSALS])
def test_errors_are_in_the_vendors_envelope(kind: Kind, play: Play) -> None:
    refused = wire.refusal(kind, play, 2, "sk-secret-123")
    assert refused is not None
    assert refused.status >= 400
    body = json.loads(refused.body)
    assert body["error"]["message"]
    assert (body.get("type") == "error") == (kind == "anthropic")
    assert dict(refused.headers) == ({"retry-after": "2"} if play is Play.LIMITED else {})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("play", ERRORS)
def test_failures_repeat_a_secret_as_vendors_have_done(kind: Kind, play: Play) -> None:
    refused = wire.refusal(kind, play, 2, "sk-secret-123")
    assert refused is not None
    assert b"sk-secret-123" in refused.body


@pytest.mark.parametrize("play", sorted(set(Play) - set(ERRORS) - set(REFUSALS)))
def test_other_plays_are_no_errors(play: Play) -> None:
    assert wire.refusal("openai", play, 2, "") is None


@pytest.mark.parametrize("kind", KINDS)
def test_the_spoilt_event_is_no_json(kind: Kind) -> None:
    said = wire.stream(kind, Speech("a", "m", 100), "1", usage=True)
    data = said.garbage.split(b"data: ")[1].strip()
    with pytest.raises(ValueError):
        json.loads(data)
