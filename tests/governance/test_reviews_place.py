from pathlib import Path

import pytest
from sqlalchemy import Engine

from mainstay.core.subject import Subject, Trace
from mainstay.governance.reviews import inbox_path, snapshot_path
from mainstay.governance.reviews_place import ReviewPlace
from support.reviews import ask, open_desk, open_queue


def ids(place: ReviewPlace, subject: Subject) -> set[str]:
    return {trace.id for trace in place.find(subject)}


def test_reviews_are_found_by_user_key_record_and_words_taken_in_or_not(engine: Engine, home: Path) -> None:
    queue, desk = open_queue(home), open_desk(engine, home)
    jane = ask(queue, 'says "4111"', user="jane")
    desk.take_in()
    joe = ask(queue, "other", user="joe", key="key_b")
    place = ReviewPlace(desk)
    assert ids(place, Subject("user", "jane")) == {jane}
    assert ids(place, Subject("user", "nobody")) == set()
    assert ids(place, Subject("user", "nobody", records=frozenset({desk.find(joe).record}))) == {joe}
    assert ids(place, Subject("key", "bob", ("bob", "key_b"))) == {joe}
    assert ids(place, Subject("text", 'SAYS "4111"')) == {jane}
    desk.decide(joe, approve=False, by="uid:1", reason="Ask Ann first.")
    assert ids(place, Subject("text", "ann")) == {joe}
    (trace,) = place.find(Subject("user", "joe"))
    assert trace.what == "review with content"
    assert '"other"' in trace.data["request"]
    assert trace.data["reason"] == "Ask Ann first."
    assert not {"mark", "data_key", "content"} & set(trace.data)


def test_what_is_erased_is_nowhere_any_more(engine: Engine, home: Path) -> None:
    queue, desk = open_queue(home), open_desk(engine, home)
    jane = [ask(queue, str(n), user="jane") for n in range(3)]
    joe = ask(queue, "4", user="joe", key="key_b")
    desk.take_in()
    desk.decide(jane[0], approve=True, by="uid:1")
    late = ask(queue, "5", user="jane")
    removed: list[Trace] = []
    place, subject = ReviewPlace(desk), Subject("user", "jane")
    place.erase(subject, removed.append)
    assert {trace.id for trace in removed} == {*jane, late}
    assert ids(place, subject) == set()
    assert [row.id for row in desk.every()] == [joe]
    assert list(inbox_path(home).iterdir()) == []
    assert "key_a" not in snapshot_path(home).read_text()
    queue.refresh()
    assert ask(queue, "0", user="jane") not in jane


def test_an_erasure_that_is_cut_off_is_ended_by_the_next(
    engine: Engine, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue, desk = open_queue(home), open_desk(engine, home)
    for n in range(3):
        ask(queue, str(n), user="jane")
    ask(queue, "4", key="key_b")
    place, subject = ReviewPlace(desk), Subject("user", "jane")
    with monkeypatch.context() as patch:
        publish, cuts = desk.publish, iter([False, True])

        def cut() -> bool:
            if next(cuts):
                raise KeyboardInterrupt
            return publish()

        patch.setattr(desk, "publish", cut)
        with pytest.raises(KeyboardInterrupt):
            place.erase(subject, lambda _: None)
    assert "key_a" in snapshot_path(home).read_text()
    place.erase(subject, lambda _: None)
    assert ids(place, subject) == set()
    assert "key_a" not in snapshot_path(home).read_text()
