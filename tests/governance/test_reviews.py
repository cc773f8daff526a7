"""What a worker does: hand requests over, learn what was decided. The other side is in test_reviews_desk."""

import asyncio
import os
import signal
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from mainstay.core.clock import wall_ms
from mainstay.core.errors import BodyTooLarge, Forbidden, RateLimited, Unavailable
from mainstay.governance.reviews import Standing, Standings, inbox_path, is_ticket, mark_of, snapshot_path
from mainstay.store.files import write_atomic
from mainstay.store.sealing import KeyedSeal
from support.reviews import CARD, ask, held_call, open_desk, open_queue


def allowed(queue: object, said: str = "x", rail: str = "cards", **who: str) -> bool:
    return queue.allowed(held_call(said, **who), rail, said.encode().hex())  # type: ignore[attr-defined]  # a queue


def test_the_same_request_is_one_review_whoever_hands_it_over_and_another_is_another(
    engine: Engine, home: Path
) -> None:
    first, second = open_queue(home), open_queue(home)
    review = ask(first)
    assert ask(second) == review == ask(first)
    others = {ask(second, "y"), ask(first, rail="other"), ask(first, key="key_b"), ask(second, route="else")}
    assert len(others | {review}) == 5
    open_desk(engine, home).take_in()
    assert ask(second) == review


def test_a_worker_that_is_killed_after_it_asked_loses_nothing(engine: Engine, home: Path) -> None:
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.write(write, ask(open_queue(home)).encode())
        os.kill(os.getpid(), signal.SIGKILL)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    os.close(write)
    with os.fdopen(read, "rb") as told:
        review = told.read().decode()
    desk = open_desk(engine, home)
    assert desk.take_in() == 1
    assert '"content": "x"' in desk.text_of(desk.find(review))


def test_a_decision_reaches_every_worker(engine: Engine, home: Path) -> None:
    workers = [open_queue(home), open_queue(home)]
    review = ask(workers[0])
    desk = open_desk(engine, home)
    desk.take_in()
    assert not any(allowed(worker) for worker in workers)
    desk.decide(review, approve=True, by="uid:1")
    for worker in workers:
        worker.refresh()
        assert allowed(worker)
        assert not allowed(worker, rail="other")
        assert not allowed(worker, route="else")
        assert not allowed(worker, key="key_b")
        assert not allowed(worker, "y")
    desk.decide(review, approve=False, by="uid:1", reason="No\ncards.", again=True)
    for worker in workers:
        worker.refresh()
        assert not allowed(worker)
        with pytest.raises(Forbidden, match=r"denied this request: No cards\.") as refused:
            ask(worker)
        assert (refused.value.code, refused.value.extra) == ("review_denied", {"review": review})


def test_who_asks_again_between_the_pick_up_and_its_look_is_told_of_the_review_that_is_there(
    engine: Engine, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = open_queue(home)
    review = ask(open_queue(home))
    desk = open_desk(engine, home)
    desk.take_in()
    look, looks = late.refresh, iter([lambda: None])
    monkeypatch.setattr(late, "refresh", lambda: next(looks, look)())
    assert ask(late) == review
    assert desk.take_in() == 1
    assert [row.id for row in desk.every()] == [review]


def test_a_key_may_have_so_many_open_and_another_key_too(engine: Engine, home: Path) -> None:
    queue, desk = open_queue(home, open=3), open_desk(engine, home)
    reviews = [ask(queue, "1"), ask(queue, "2")]
    desk.take_in()
    reviews.append(ask(queue, "3"))
    with pytest.raises(RateLimited, match="3 of this key wait") as refused:
        ask(queue, "4")
    assert (refused.value.code, refused.value.should_retry) == ("too_many_reviews", False)
    assert ask(queue, "3") == reviews[2]
    assert ask(queue, "4", key="key_b")
    desk.take_in()
    with pytest.raises(RateLimited):
        ask(queue, "4")
    desk.decide(reviews[0], approve=True, by="uid:1")
    assert ask(queue, "4")


def test_a_burst_does_not_pass_the_limit(home: Path) -> None:
    queue = open_queue(home, open=5)

    async def burst() -> list[object]:
        asking = [queue.ask(held_call(str(n)), "cards", str(n), CARD) for n in range(20)]
        return await asyncio.gather(*asking, return_exceptions=True)

    told = asyncio.run(burst())
    assert sum(isinstance(one, str) for one in told) == len(os.listdir(inbox_path(home))) == 5


def test_what_is_too_long_for_a_person_is_refused(home: Path) -> None:
    with pytest.raises(BodyTooLarge) as refused:
        ask(open_queue(home, max_size=200), "x" * 200)
    assert refused.value.code == "too_large_to_review"
    assert not inbox_path(home).exists()


def test_what_cannot_be_kept_is_refused_without_a_word_of_where(home: Path) -> None:
    home.mkdir()
    (home / "reviews").write_text("in the way")
    with pytest.raises(Unavailable) as refused:
        ask(open_queue(home))
    assert "reviews" not in refused.value.message
    assert str(home) not in refused.value.message


def test_a_request_is_sealed_before_it_is_written_and_not_written_without_a_key(engine: Engine, home: Path) -> None:
    seal = KeyedSeal()
    seal.enabled = True
    with pytest.raises(Unavailable):
        ask(open_queue(home, seal), "4111")
    seal.take({(name := str(uuid4())): b"k" * 32}, {"team:web": name}, enabled=True, tenant="team")
    review = ask(open_queue(home, seal), "4111")
    (file,) = inbox_path(home).iterdir()
    assert b"4111" not in file.read_bytes().replace(b"4111".hex().encode(), b"")
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    desk = open_desk(engine, home, seal)
    desk.take_in()
    row = desk.find(review)
    assert row.data_key == name
    assert '"4111"' in desk.text_of(row)
    assert open_desk(engine, home).text_of(row) == "(sealed; its key is gone)"


def test_a_ticket_says_what_a_reviewer_needs(engine: Engine, home: Path) -> None:
    review = ask(open_queue(home), "my card", user="jane\0")
    desk = open_desk(engine, home)
    desk.take_in()
    row = desk.find(review)
    assert (row.organisation, row.team, row.key, row.user) == ("shop", "web", "key_a", "jane")
    assert (row.route, row.rail, row.where, row.kinds, row.score) == ("r", "cards", "input", '{"card":2}', 0.75)
    assert (row.status, row.label, row.decided_at, row.digest) == ("open", "", None, b"my card".hex())
    assert row.at <= wall_ms()


def test_how_reviews_stand_is_told_to_their_key_only(engine: Engine, home: Path) -> None:
    queue, desk = open_queue(home), open_desk(engine, home)

    def told(key: str = "key_a") -> list[tuple[str, str]]:
        return [(one.id, one.status) for one in asyncio.run(queue.all_of(key))]

    assert told() == []
    one, two = ask(queue, "1"), ask(queue, "2")
    assert (told(), told("key_b")) == ([(two, "open"), (one, "open")], [])
    desk.take_in()
    three = ask(queue, "3")
    desk.decide(one, approve=True, by="uid:1")
    assert (told(), told("key_b")) == ([(three, "open"), (two, "open"), (one, "approved")], [])


def test_a_damaged_snapshot_changes_nothing(engine: Engine, home: Path) -> None:
    queue, desk = open_queue(home), open_desk(engine, home)
    review = ask(queue)
    desk.take_in()
    desk.decide(review, approve=True, by="uid:1")
    queue.refresh()
    snapshot_path(home).write_bytes(b'{"reviews": [{')
    queue.refresh()
    assert allowed(queue)
    snapshot_path(home).write_bytes(msgspec.json.encode(Standings([])))
    queue.refresh()
    assert not allowed(queue)


def test_a_worker_that_hears_of_nothing_more_lets_an_approval_lapse(home: Path) -> None:
    queue, mark = open_queue(home), mark_of("key_a", "r", "cards", b"x".hex())
    for later, holds in ((60_000, True), (0, False)):
        standing = Standing("rev_1", mark, "key_a", "cards", "approved", wall_ms() + later)
        snapshot_path(home).parent.mkdir(parents=True, exist_ok=True)
        write_atomic(snapshot_path(home), msgspec.json.encode(Standings([standing])))
        queue.refresh()
        assert allowed(queue) is holds
        assert bool(asyncio.run(queue.all_of("key_a"))) is holds


_TEXT = st.text(st.characters(exclude_characters="\0"), max_size=20)


@settings(max_examples=200, deadline=None)
@given(st.tuples(_TEXT, _TEXT, _TEXT, _TEXT), st.tuples(_TEXT, _TEXT, _TEXT, _TEXT))
def test_marks_are_names_of_files_and_equal_only_for_the_same(
    one: tuple[str, str, str, str], other: tuple[str, str, str, str]
) -> None:
    assert is_ticket(f"{mark_of(*one)}.json")
    assert (mark_of(*one) == mark_of(*other)) == (one == other)
    assert (mark_of(*one)[:16] == mark_of(*other)[:16]) == (one[0] == other[0])


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_no_other_file_is_a_ticket(name: str) -> None:
    assert not is_ticket(name)
    assert not is_ticket(f".{mark_of('a', 'b', 'c', 'd')}.json.{uuid4()}")
