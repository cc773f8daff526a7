"""The scripted provider, asked over real sockets."""

import asyncio

import pytest

from mainstay.drill.caller import Dialect, Heard, ask, request_body
from mainstay.drill.faults import FAULTS, Play, Timing
from mainstay.drill.reading import Reply, read_reply
from mainstay.drill.upstream import Actor, Scene
from mainstay.drill.wire import GARBAGE, Speech

pytestmark = pytest.mark.anyio

QUICK = Timing(headers=1, first_token=0.1, idle=1, total=5, attempts=4, late=0.0, retry_after=2, down=60)
FIRST = Actor("first", "one", "openai", Speech("a", "up-first", 100), "sk-first-123456")
SECOND = Actor("second", "two", "anthropic", Speech("b", "up-second", 110), "sk-second-123456")


def scene(number: int) -> Scene:
    made = Scene(FAULTS[number - 1], QUICK, (FIRST, SECOND))
    made.begin()
    return made


async def heard(scene: Scene, actor: Actor, *, stream: bool = True, limit: float = 10, **fields: object) -> Heard:
    body = request_body(actor.kind, actor.speech.upstream, "Hello.", stream=stream) | fields
    return (await ask(scene.ports[actor.provider], actor.kind, "key", "id", body, limit))[1]


def reply(heard: Heard, dialect: Dialect, *, stream: bool = True) -> Reply:
    return read_reply(heard, dialect, stream=stream)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("actor", [FIRST, SECOND], ids=lambda actor: actor.kind)
async def test_a_healthy_target_answers_in_full(actor: Actor, stream: bool) -> None:
    async with scene(4).playing() as played:
        played.over = True
        got = reply(await heard(played, actor, stream=stream), actor.kind, stream=stream)
    assert (got.complete, got.text, got.problems) == (True, actor.speech.text, [])
    assert got.usage == (actor.speech.input, 60)
    assert got.model == actor.speech.upstream


@pytest.mark.parametrize("actor", [FIRST, SECOND], ids=lambda actor: actor.kind)
async def test_whoever_is_asked_first_shows_the_fault(actor: Actor) -> None:
    other = SECOND if actor is FIRST else FIRST
    async with scene(4).playing() as played:
        assert (await heard(played, actor)).status in (503, 529)
        assert (await heard(played, other)).status == 200
        assert (await heard(played, actor)).status in (503, 529)
    assert [(one.target, one.primary) for one in played.seen] == [
        (actor.model, True),
        (other.model, False),
        (actor.model, True),
    ]


async def test_a_fault_that_happens_once_happens_once() -> None:
    async with scene(3).playing() as played:
        assert [(await heard(played, FIRST)).status for _ in range(3)] == [500, 200, 200]


async def test_a_rate_limit_says_how_long() -> None:
    async with scene(1).playing() as played:
        got = await heard(played, FIRST)
    assert (got.status, got.header("retry-after")) == (429, "2")


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("number", "clean"), [(8, False), (14, True)])
async def test_a_cut_answer_breaks_after_two_thirds(number: int, clean: bool, stream: bool) -> None:
    async with scene(number).playing() as played:
        got = await heard(played, FIRST, stream=stream)
    assert got.whole is clean
    assert b"a40" in got.body
    assert b"a42" not in got.body
    assert played.seen[0].broke is not None


async def test_a_stalled_answer_stays_open_until_the_gateway_leaves() -> None:
    async with scene(9).playing() as played:
        got = await heard(played, FIRST, limit=0.5)
        assert got.hung
        while played.seen[0].left is None:
            await asyncio.sleep(0.01)
    assert played.seen[0].play is Play.STALLED


async def test_silence_is_silence() -> None:
    async with scene(6).playing() as played:
        got = await heard(played, FIRST, limit=0.3)
    assert (got.status, got.hung) == (0, True)


async def test_a_reset_comes_before_any_byte() -> None:
    async with scene(5).playing() as played:
        got = await heard(played, FIRST)
    assert (got.status, got.hung) == (0, False)


@pytest.mark.parametrize("actor", [FIRST, SECOND], ids=lambda actor: actor.kind)
async def test_a_late_answer_gives_signs_of_life_first(actor: Actor) -> None:
    async with scene(7).playing() as played:
        got = await heard(played, actor)
    assert reply(got, actor.kind).complete
    first = reply(got, actor.kind).first
    assert first is not None
    assert first >= QUICK.lateness
    assert got.pieces[0][0] < first


@pytest.mark.parametrize("stream", [True, False])
async def test_garbage_comes_once(stream: bool) -> None:
    async with scene(10).playing() as played:
        spoilt = await heard(played, FIRST, stream=stream)
        again = await heard(played, FIRST, stream=stream)
    assert GARBAGE.encode() in spoilt.body
    assert reply(again, "openai", stream=stream).complete


@pytest.mark.parametrize("actor", [FIRST, SECOND], ids=lambda actor: actor.kind)
async def test_an_answer_without_its_end_mark_has_a_finish_reason(actor: Actor) -> None:
    async with scene(11).playing() as played:
        got = reply(await heard(played, actor), actor.kind)
    assert (got.finish in ("stop", "end_turn"), got.text, got.complete) == (True, actor.speech.text, False)


async def test_the_fallback_refuses_words_put_in_its_mouth() -> None:
    said = [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "a01"}]
    async with scene(14).playing() as played:
        await heard(played, FIRST)
        assert (await heard(played, SECOND, messages=said)).status == 400
        assert (await heard(played, SECOND)).status == 200
    assert [one.play for one in played.seen] == [Play.CUT_CLEAN, Play.NO_PREFILL, Play.HEALTHY]


async def test_an_outage_ends() -> None:
    played = Scene(FAULTS[14], Timing(1, 1, 1, 5, 4, down=0.2), (FIRST, SECOND))
    async with played.playing():
        played.begin()
        assert (await heard(played, FIRST)).status == 503
        while played.is_down():
            await asyncio.sleep(0.01)
        assert (await heard(played, FIRST)).status == 200


async def test_a_model_nobody_plays_is_not_found() -> None:
    async with scene(4).playing() as played:
        assert (await heard(played, FIRST, model="other")).status == 404
    assert played.seen == []
