"""What policies decided, in the audit log: every refused call by itself, calls that went elsewhere as a number."""

import json

from sqlalchemy import Engine

from mainstay.core.record import Denial, Record
from mainstay.governance.denials import events_of, post
from mainstay.store.audit import select_entries
from mainstay.store.sql import reading, writing


def record(number: int, *denials: Denial, error: str = "policy_denied") -> Record:
    return Record(f"r{number}", f"q{number}", 0, key="alice", route="chat", error=error, denials=list(denials))


def denial(model: str, *policies: str, data: tuple[str, ...] = ()) -> Denial:
    return Denial(model, list(policies), "key_1", "research", list(data), "0123456789ab")


def test_a_refused_call_is_one_event_with_all_that_kept_it_out() -> None:
    [event] = events_of([record(1, denial("far", "a", data=("email",)), denial("near", "b", "a"))])
    assert event[:3] == ("key:key_1", "policy.denied", "route:chat")
    assert event[3] == {
        "record": "r1",
        "models": ["far", "near"],
        "policies": ["a", "b"],
        "purpose": "research",
        "data": ["email"],
        "version": "0123456789ab",
    }


def test_calls_that_went_elsewhere_are_counted() -> None:
    away = [record(number, denial("far", "a"), error="") for number in range(5)]
    away.append(record(9, denial("other", "a"), error="upstream_failed"))
    assert [(event[1], event[2], event[3]["calls"]) for event in events_of(away)] == [
        ("policy.diverted", "model:far", 5),
        ("policy.diverted", "model:other", 1),
    ]


def test_events_stand_in_the_log_and_records_without_denials_leave_none(engine: Engine) -> None:
    with writing(engine) as connection:
        post(engine, connection, [record(1, denial("far")), record(2, error="")])
    with reading(engine) as connection:
        [entry] = select_entries(connection, action="policy")
    assert entry.action == "policy.denied"
    assert json.loads(entry.body)["details"]["policies"] == []


def test_names_of_any_length_fit_the_log(engine: Engine) -> None:
    long = [denial("m" * 1000, *["p" * 1000] * 50, data=("d" * 1000,) * 50)]
    with writing(engine) as connection:
        post(engine, connection, [record(1, *long), record(2, *long, error="")])
    with reading(engine) as connection:
        assert len(select_entries(connection, action="policy")) == 2
