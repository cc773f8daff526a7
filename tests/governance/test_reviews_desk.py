"""What the control process and people do with reviews, on a real database."""

import os
import time
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from mainstay.core.clock import wall_ms
from mainstay.core.errors import InvalidRequest, NotFound
from mainstay.governance.config import ReviewsConfig
from mainstay.governance.reviews import Standings, inbox_path, snapshot_path
from mainstay.governance.reviews_desk import ReviewDesk, check_reason
from mainstay.governance.reviews_store import ReviewFilter, count_contents, remove_reviews
from mainstay.store.audit import select_entries
from mainstay.store.sealing import KeyedSeal
from mainstay.store.sql import migrate, open_engine, reading, writing
from support.reviews import ask, open_desk, open_queue

DAY = 86_400_000


def later(engine: Engine, home: Path, days: float, **rules: float) -> ReviewDesk:
    """Return the desk as it will be."""
    settings_then = ReviewsConfig(**rules)  # type: ignore[arg-type]  # durations are numbers of seconds
    return ReviewDesk(
        engine, home, lambda: settings_then, open_desk(engine, home)._seal, lambda: wall_ms() + int(days * DAY)
    )


def actions(engine: Engine) -> list[tuple[str, str, str]]:
    with reading(engine) as connection:
        return [(entry.actor, entry.action, entry.subject) for entry in reversed(select_entries(connection))]


def standings(home: Path) -> list[tuple[str, str]]:
    found = msgspec.json.decode(snapshot_path(home).read_bytes(), type=Standings)
    return [(one.id, one.status) for one in found.reviews]


@pytest.mark.parametrize("cut", ["publish", "unlink"])
def test_a_pick_up_that_is_cut_off_loses_nothing_and_doubles_nothing(
    engine: Engine, home: Path, monkeypatch: pytest.MonkeyPatch, cut: str
) -> None:
    reviews = {ask(open_queue(home), str(n)) for n in range(3)}
    desk = open_desk(engine, home)
    with monkeypatch.context() as patch:

        def stop(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(*((desk, "publish") if cut == "publish" else (Path, "unlink")), stop)
        with pytest.raises(KeyboardInterrupt):
            desk.take_in()
    assert len(os.listdir(inbox_path(home))) == 3
    # Decided before the files are gone: they bring nothing back.
    desk.decide(min(reviews), approve=True, by="uid:1")
    fresh = open_desk(engine, home)
    assert fresh.take_in() == 3
    assert fresh.take_in() == 0
    assert {row.id for row in fresh.every()} == reviews
    assert sorted(standings(home)) == [(one, "approved" if one == min(reviews) else "open") for one in sorted(reviews)]


def test_more_tickets_than_are_taken_at_once_are_all_taken(engine: Engine, home: Path) -> None:
    queue = open_queue(home)
    reviews = {ask(queue, str(n)) for n in range(60)}
    desk = open_desk(engine, home)
    assert desk.take_in() == 60
    assert {row.id for row in desk.every()} == reviews
    assert os.listdir(inbox_path(home)) == []
    first = desk.search(ReviewFilter(), limit=25)
    rest = desk.search(ReviewFilter(), before=first[-1].id)
    assert [row.id for row in first + rest] == sorted(reviews, reverse=True)


def test_a_file_that_is_no_ticket_is_dropped_and_one_that_nobody_finished(
    engine: Engine, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    review = ask(open_queue(home))
    (ticket,) = inbox_path(home).iterdir()
    bad = ticket.with_name(f"{'0' * 16}-{'0' * 32}.json")
    bad.write_bytes(b"{")
    half, fresh = (ticket.with_name(f".{ticket.name}.{uuid4()}") for _ in range(2))
    half.write_bytes(b"{")
    fresh.write_bytes(b"{")
    os.utime(half, (time.time() - 600,) * 2)
    desk = open_desk(engine, home)
    assert desk.take_in() == 1
    assert [row.id for row in desk.every()] == [review]
    assert list(inbox_path(home).iterdir()) == [fresh]
    assert "cannot be read and is dropped" in caplog.text


def test_a_decision_is_kept_labelled_and_noted(engine: Engine, home: Path) -> None:
    queue, desk = open_queue(home), open_desk(engine, home)
    one, other = ask(queue, "1"), ask(queue, "2")
    desk.take_in()
    row = desk.decide(one, approve=True, by="person:per_1", reason=" fine \n", wrong=True)
    assert (row.status, row.label, row.reason, row.decided_by) == ("approved", "false_positive", "fine", "person:per_1")
    assert desk.decide(other, approve=False, by="uid:1").label == "true_positive"
    assert actions(engine) == [
        ("person:per_1", "reviews.approve", f"review:{one}"),
        ("uid:1", "reviews.deny", f"review:{other}"),
    ]
    with pytest.raises(InvalidRequest, match="approved already") as refused:
        desk.decide(one, approve=False, by="uid:1")
    assert (refused.value.code, refused.value.status) == ("review_closed", 409)
    assert desk.decide(one, approve=False, by="uid:1", again=True).label == "true_positive"
    assert standings(home) == [(one, "denied"), (other, "denied")]


def test_a_review_that_is_not_there_cannot_be_decided(engine: Engine, home: Path) -> None:
    desk = open_desk(engine, home)
    for review in ("rev_0", "", "../x", "rev_' OR 1=1", "\0", "x" * 5000):
        for work in (desk.find, lambda name: desk.decide(name, approve=True, by="uid:1")):
            with pytest.raises(NotFound) as refused:
                work(review)
            assert len(refused.value.message) < 200
    assert actions(engine) == []


def test_an_approval_lapses_and_the_request_is_asked_about_anew(engine: Engine, home: Path) -> None:
    queue, desk = open_queue(home), open_desk(engine, home)
    review = ask(queue)
    desk.take_in()
    desk.decide(review, approve=True, by="uid:1")
    then = later(engine, home, 2)
    assert then.tend() == 1
    assert standings(home) == []
    row = then.find(review)
    # The words stay as long as they would have, to learn from.
    assert (row.status, row.mark, row.digest, then.text_of(row) != "") == ("approved", "", "", True)
    with pytest.raises(InvalidRequest, match="holds no longer"):
        then.decide(review, approve=False, by="uid:1", again=True)
    again = ask(queue)
    assert again != review
    desk.take_in()
    assert standings(home) == [(again, "open")]


def test_a_denial_holds_as_long_as_the_request_would_have_waited(engine: Engine, home: Path) -> None:
    review = ask(open_queue(home))
    desk = open_desk(engine, home)
    desk.take_in()
    desk.decide(review, approve=False, by="uid:1")
    for days, found in ((6, [(review, "denied")]), (8, [])):
        then = later(engine, home, days)
        assert then.tend() == (0 if found else 1)
        then.publish()
        assert standings(home) == found


def test_nobody_decided_and_it_expires_without_its_words(engine: Engine, home: Path) -> None:
    queue = open_queue(home)
    review = ask(queue, "4111", user="jane")
    desk = open_desk(engine, home)
    desk.take_in()
    then = later(engine, home, 8)
    with pytest.raises(InvalidRequest, match="It has expired"):
        then.decide(review, approve=True, by="uid:1")
    assert then.tend() == 1
    assert then.tend() == 0
    row = then.find(review)
    assert (row.status, row.content, row.user, row.digest, row.mark) == ("expired", None, "", "", "")
    assert actions(engine) == [("mainstay", "reviews.expire", f"review:{review}")]
    assert b"4111" not in (home / "mainstay.db").read_bytes() + (home / "mainstay.db-wal").read_bytes()
    assert later(engine, home, 366).tend() == 1
    assert list(desk.every()) == []


def test_what_has_expired_stays_so_when_more_time_is_given(engine: Engine, home: Path) -> None:
    review = ask(open_queue(home))
    open_desk(engine, home).take_in()
    assert later(engine, home, 1, keep=1.0).tend() == 1
    with pytest.raises(InvalidRequest, match="It has expired"):
        open_desk(engine, home).decide(review, approve=True, by="uid:1")


def test_a_shorter_time_holds_at_once(engine: Engine, home: Path) -> None:
    review = ask(open_queue(home))
    rules = [ReviewsConfig()]
    desk = ReviewDesk(engine, home, lambda: rules[0], open_desk(engine, home)._seal, lambda: wall_ms() + 5000)
    desk.take_in()
    assert standings(home) == [(review, "open")]
    rules[0] = ReviewsConfig(keep=1.0)
    assert desk.publish()
    assert standings(home) == []
    assert not desk.publish()


def test_what_lies_plain_is_sealed_and_still_read(engine: Engine, home: Path) -> None:
    queue = open_queue(home)
    reviews = [ask(queue, str(n)) for n in range(60)]
    open_desk(engine, home).take_in()
    seal, name = KeyedSeal(), str(uuid4())
    seal.take({name: b"k" * 32}, {"team:web": name}, enabled=True, tenant="team")
    desk, after, total = open_desk(engine, home, seal), "", 0
    while after is not None:
        count, after = desk.reseal([""], after)  # type: ignore[assignment]  # None ends it
        total += count
    assert total == 60
    assert desk.reseal([""]) == (0, None)
    row = desk.find(reviews[0])
    assert row.data_key == name
    assert '"0"' not in (row.content or "")
    assert '"0"' in desk.text_of(row)
    # A ticket that was written plain before the worker knew is sealed when it is taken in.
    late = ask(queue, "late")
    desk.take_in()
    assert desk.find(late).data_key == name


def test_publishing_is_done_when_something_changed_and_only_then(engine: Engine, home: Path) -> None:
    desk, other = open_desk(engine, home), open_desk(engine, home)
    one, two = ask(open_queue(home), "1"), ask(open_queue(home), "2")
    desk.take_in()
    assert not desk.publish()
    other.decide(one, approve=True, by="uid:1")
    snapshot_path(home).unlink()
    assert desk.publish()
    # As someone does who is killed before they tell the workers.
    for review in (two, one):
        with writing(engine) as connection:
            remove_reviews(connection, [review])
        assert desk.publish()
        assert review not in dict(standings(home))


def test_reviews_are_found_by_what_they_are(engine: Engine, home: Path) -> None:
    queue, desk = open_queue(home), open_desk(engine, home)
    denied = ask(queue)
    ask(queue, rail="other")
    ask(queue, route="else")
    ask(queue, team="app", key="key_b")
    desk.take_in()
    desk.decide(denied, approve=False, by="uid:1")
    for where, count in (
        (ReviewFilter(), 4),
        (ReviewFilter(status="open"), 3),
        (ReviewFilter(status="denied"), 1),
        (ReviewFilter(rail="other"), 1),
        (ReviewFilter(route="else"), 1),
        (ReviewFilter(team="app"), 1),
        (ReviewFilter(teams=("web",)), 3),
        (ReviewFilter(teams=()), 0),
        (ReviewFilter(since=wall_ms() + DAY), 0),
    ):
        rows = desk.search(where)
        assert len(rows) == count, where
        assert all(row.content is None for row in rows)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=600))
def test_a_reason_is_one_line_that_commands_no_terminal(text: str) -> None:
    if len(" ".join(text.split())) > 500:
        with pytest.raises(InvalidRequest):
            check_reason(text + "x" * 501)
        return
    line = check_reason(text)
    assert line.isprintable()
    assert line == line.strip()
    assert len(line) <= 500
    assert check_reason(line) == line


def test_reviews_are_the_same_on_postgresql(home: Path, postgres_url: str) -> None:
    engine = open_engine(postgres_url)
    migrate(engine)
    desk = open_desk(engine, home)
    reviews = [ask(open_queue(home), str(n), user="jane\0") for n in range(3)]
    assert desk.take_in() == 3
    desk.decide(reviews[0], approve=True, by="uid:1", wrong=True)
    assert [row.id for row in desk.exported("uid:1")] == [reviews[0]]
    assert len(desk.search(ReviewFilter(status="open", teams=["web"], since=0))) == 2
    with reading(engine) as connection:
        assert count_contents(connection) == (3, 3)
    assert (later(engine, home, 8).tend(), standings(home)) == (3, [])
    desk.remove(reviews)
    assert dict(desk.counts()) == {}
    engine.dispose()
