import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest
from bench.rows.port import script_upstream
from bench.upstream import FAULTS, Script, _Answers
from bench.visitors import Visitor

from bench import wire

pytestmark = pytest.mark.anyio

Upstream = Callable[[Script], Awaitable[str]]


async def _talk(url: str, body: bytes) -> bytes:
    """Everything the upstream says to one request until it closes or has been silent for a while."""
    request = wire.post(url, body, {})
    reader, writer = await asyncio.open_connection(request.host, request.port)
    writer.write(request.data)
    heard = b""
    try:
        while piece := await asyncio.wait_for(reader.read(65536), 0.2):
            heard += piece
            if _whole(heard):
                break
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.close()
    return heard


def _whole(heard: bytes) -> bool:
    head, _, body = heard.partition(b"\r\n\r\n")
    promised = re.search(rb"content-length: (\d+)", head)
    return body.endswith(b"0\r\n\r\n") if promised is None else len(body) == int(promised.group(1))


def _events(heard: bytes) -> list[bytes]:
    return [line for line in heard.splitlines() if line.startswith(b"data: ")]


async def test_a_whole_answer_is_a_completion_of_about_700_bytes(upstream: Upstream) -> None:
    heard = await _talk(await upstream(Script(model="m")), wire.question("m"))
    body = heard.partition(b"\r\n\r\n")[2]
    assert heard.startswith(b"HTTP/1.1 200 OK")
    assert json.loads(body)["model"] == "m"
    assert 550 < len(body) < 750


async def test_a_stream_holds_its_events_a_finish_and_an_end(upstream: Upstream) -> None:
    heard = await _talk(await upstream(Script(tokens=5)), wire.question("m", stream=True))
    events = [json.loads(line[6:]) for line in _events(heard)[:-1]]
    assert _events(heard)[-1] == b"data: [DONE]"
    assert [one["choices"][0]["delta"].get("content") for one in events[1:-1]] == [f"~w{n:03d} " for n in range(5)]
    assert events[0]["choices"][0]["delta"]["role"] == "assistant"
    assert events[-1]["choices"][0]["finish_reason"] == "stop"


async def test_usage_is_sent_on_a_stream_only_when_asked_for(upstream: Upstream) -> None:
    url = await upstream(Script(tokens=5))
    plain = json.loads(wire.question("m", stream=True))
    asked = json.dumps({**plain, "stream_options": {"include_usage": True}}).encode()
    assert b'"usage"' not in await _talk(url, wire.question("m", stream=True))
    last = json.loads(_events(await _talk(url, asked))[-2][6:])
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] == 5


async def test_refusals_speak_the_dialect(upstream: Upstream) -> None:
    heard = await _talk(await upstream(Script(fault="429")), wire.question("m"))
    assert heard.startswith(b"HTTP/1.1 429 ")
    assert b"retry-after: 1\r\n" in heard
    assert json.loads(heard.partition(b"\r\n\r\n")[2])["error"]["code"] == "rate_limit_exceeded"
    heard = await _talk(await upstream(Script(fault="500")), wire.question("m"))
    assert heard.startswith(b"HTTP/1.1 500 ")


async def test_a_reset_gives_not_one_byte(upstream: Upstream) -> None:
    assert await _talk(await upstream(Script(fault="reset")), wire.question("m")) == b""


@pytest.mark.parametrize("fault", ["cut", "stall"])
@pytest.mark.parametrize("pace", [0.0, 200.0])
async def test_a_broken_stream_starts_and_never_ends(upstream: Upstream, fault: str, pace: float) -> None:
    script = Script(tokens=10, fault=fault, tokens_per_second=pace)
    heard = await _talk(await upstream(script), wire.question("m", stream=True))
    assert 0 < heard.count(wire.MARK) < 10
    assert b"[DONE]" not in heard


async def test_a_fault_on_every_third_request_spares_the_others(upstream: Upstream) -> None:
    url = await upstream(Script(fault="500", fault_every=3))
    heard = [(await _talk(url, wire.question("m")))[9:12] for _ in range(6)]
    assert heard == [b"200", b"200", b"500", b"200", b"200", b"500"]


async def test_the_script_changes_while_it_runs(upstream: Upstream) -> None:
    url = await upstream(Script(tokens=2))
    port = int(url.removesuffix("/v1").rpartition(":")[2])
    await script_upstream(port, Script(tokens=4))
    heard = await _talk(url, wire.question("m", stream=True))
    assert heard.count(wire.MARK) == 4


async def test_a_script_with_a_wrong_field_is_refused(upstream: Upstream) -> None:
    url = await upstream(Script())
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.removesuffix("/v1").rpartition(":")[2]))
    body = b'{"tokenz": 3}'
    writer.write(b"POST /script HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
    assert b" 400 " in await reader.readline()
    assert b"tokenz" in await reader.read(1000)
    writer.close()


@pytest.mark.parametrize("wrong", [{"fault": "flood"}, {"tokens": 0}, {"fault_every": 0}, {"latency": -1.0}])
def test_a_script_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must be one of|start at 1"):
        Script(**wrong)


def test_every_fault_has_a_name_that_a_script_takes() -> None:
    assert [Script(fault=name).fault for name in FAULTS] == list(FAULTS)


async def test_one_slot_makes_requests_wait_for_each_other_and_the_watcher_sees_when_each_ended(
    watched: Callable[..., Awaitable[tuple[str, list[Visitor]]]],
) -> None:
    url, seen = await watched(Script(latency=0.02, slots=1))
    await asyncio.gather(*(_talk(url, wire.question("m")) for _ in range(3)))
    ends = sorted(visitor.until for visitor in seen)
    assert all(later - earlier >= 0.019 for earlier, later in pairwise(ends))
    assert not any(visitor.left for visitor in seen)


async def test_a_caller_who_leaves_is_noted_and_gives_its_slot_to_the_next(
    watched: Callable[..., Awaitable[tuple[str, list[Visitor]]]],
) -> None:
    url, seen = await watched(Script(fault="stall", fault_every=2, slots=1))
    await _talk(url, wire.question("m"))
    await _talk(url, wire.question("m"))
    assert b'"finish_reason"' in await _talk(url, wire.question("m"))
    assert [visitor.left for visitor in seen] == [False, True, False]


async def test_answers_may_claim_as_many_tokens_as_the_request_allows(upstream: Upstream) -> None:
    heard = await _talk(await upstream(Script(full=True)), wire.question("m", max_tokens=150))
    assert json.loads(heard.partition(b"\r\n\r\n")[2])["usage"]["completion_tokens"] == 150


def test_stragglers_are_as_many_as_the_script_says_and_the_same_each_time() -> None:
    def draw() -> list[float]:
        answers = _Answers(Script(slow=0.02, slow_latency=1.0, seed=1))
        return [answers.latency() for _ in range(2000)]

    assert 20 <= draw().count(1.0) <= 60
    assert draw() == draw()
