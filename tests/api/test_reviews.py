"""The page of a caller's own reviews, and a decision that reaches the workers of a real gateway."""

import json
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator

import httpx
import pytest

from mainstay.governance.reviews import inbox_path
from support.gateway import Gateway
from support.reviews import ask, open_desk, open_queue

CONFIG = {
    "providers": {"echo": {"kind": "echo"}},
    "models": {"parrot": {"provider": "echo"}},
    "routes": {
        "assistant": {
            "targets": ["parrot"],
            "rails": {"codename": {"what": "words", "words": ["bluebird"], "where": "input", "do": "human"}},
        }
    },
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with Gateway(tmp_path_factory.mktemp("gateway"), CONFIG, workers=2) as running:
        yield running


def chat(gateway: Gateway, said: str) -> httpx.Response:
    """Ask on a connection of its own: the kernel deals them out to the workers."""
    body = {"model": "assistant", "messages": [{"role": "user", "content": said}]}
    headers = {"authorization": f"Bearer {gateway.key}"}
    return httpx.post(f"{gateway.url}/v1/chat/completions", json=body, headers=headers)


def always(true: Callable[[], bool]) -> Callable[[], bool]:
    """Return whether it was true the last ten times: then it is so on every worker."""
    last: deque[bool] = deque(maxlen=10)

    def settled() -> bool:
        last.append(true())
        return all(last) and len(last) == last.maxlen

    return settled


def key_id(gateway: Gateway, name: str) -> str:
    return gateway.keys.find(name).id


def test_what_a_rail_holds_passes_once_a_person_has_approved_it_and_not_once_they_denied_it(gateway: Gateway) -> None:
    asked = [chat(gateway, "Tell me of bluebird.") for _ in range(6)]
    assert {(one.status_code, one.json()["error"]["code"]) for one in asked} == {(403, "needs_review")}
    (review,) = {one.json()["error"]["review"] for one in asked}
    assert review in asked[0].json()["error"]["message"]
    assert chat(gateway, "Tell me of sparrows.").status_code == 200
    desk = open_desk(gateway.engine, gateway.var)
    gateway.until(lambda: list(inbox_path(gateway.var).iterdir()) == [])
    row = desk.find(review)
    assert (row.rail, row.route, row.where, row.status) == ("codename", "assistant", "input", "open")
    assert "Tell me of bluebird." in desk.text_of(row)
    desk.decide(review, approve=True, by="uid:1")
    gateway.until(always(lambda: chat(gateway, "Tell me of bluebird.").status_code == 200))
    other = chat(gateway, "Tell me more of bluebird.")
    assert (other.status_code, other.json()["error"]["review"] != review) == (403, True)
    desk.decide(review, approve=False, by="uid:1", reason="It is secret.", again=True)
    gateway.until(always(lambda: chat(gateway, "Tell me of bluebird.").status_code == 403))
    denied = chat(gateway, "Tell me of bluebird.").json()["error"]
    assert denied["code"] == "review_denied"
    assert denied["message"] == "A reviewer has denied this request: It is secret."


def test_a_decision_of_the_command_line_is_told_by_both_workers_without_a_restart(gateway: Gateway) -> None:
    mine = key_id(gateway, "test")
    review = ask(open_queue(gateway.var), "first", key=mine)
    told = json.loads(gateway.get(f"/v1/reviews/{review}"))
    assert (told["object"], told["status"], told["rail"], told["reason"]) == ("review", "open", "cards", None)
    gateway.until(lambda: list(inbox_path(gateway.var).iterdir()) == [])
    pids = gateway.pids("worker")
    open_desk(gateway.engine, gateway.var).decide(review, approve=False, by="uid:1", reason="No cards.")
    gateway.until(always(lambda: json.loads(gateway.get(f"/v1/reviews/{review}"))["status"] == "denied"))
    assert json.loads(gateway.get("/v1/reviews"))["data"][0]["reason"] == "No cards."
    assert gateway.pids("worker") == pids


def test_what_is_handed_over_while_control_is_away_is_taken_in_by_the_next(gateway: Gateway) -> None:
    (control,) = gateway.pids("control")
    os.kill(control, signal.SIGKILL)
    review = ask(open_queue(gateway.var), "second", key=key_id(gateway, "test"))
    desk = open_desk(gateway.engine, gateway.var)
    gateway.until(lambda: review in {row.id for row in desk.every()} and gateway.pids("control") != [control])
    assert json.loads(gateway.get(f"/v1/reviews/{review}"))["status"] == "open"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/reviews/rev_0", 404),
        ("GET", "/v1/reviews/..%2F..%2Fkeys.json", 404),
        ("GET", "/v1/reviews/" + "x" * 3000, 404),
        ("GET", "/v1/reviews/rev_0/more", 404),
        ("POST", "/v1/reviews", 405),
        ("DELETE", "/v1/reviews/rev_0", 405),
    ],
)
def test_what_makes_no_sense_is_refused(gateway: Gateway, method: str, path: str, status: int) -> None:
    answer = httpx.request(method, gateway.url + path, headers={"authorization": f"Bearer {gateway.key}"})
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == {404: "not_found", 405: "method_not_allowed"}[status]


def test_another_key_is_told_nothing_and_nobody_without_one(gateway: Gateway) -> None:
    review = ask(open_queue(gateway.var), "third", key=key_id(gateway, "test"))
    other = gateway.keys.create("other").key
    known = always(lambda: httpx.get(f"{gateway.url}/v1/models", headers={"x-api-key": other}).status_code == 200)
    gateway.until(known)
    for path in (f"/v1/reviews/{review}", "/v1/reviews"):
        assert httpx.get(gateway.url + path).status_code == 401
    assert httpx.get(f"{gateway.url}/v1/reviews/{review}", headers={"x-api-key": other}).status_code == 404
    assert httpx.get(f"{gateway.url}/v1/reviews", headers={"x-api-key": other}).json()["data"] == []
