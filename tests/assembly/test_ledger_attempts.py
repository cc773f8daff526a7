"""What each attempt of a call costs, however it ended, and that the call costs their sum: nobody pays nothing."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from mainstay.core.record import Record
from mainstay.cost.books import BUDGET
from mainstay.cost.store import select_entries
from mainstay.store.sql import reading
from mainstay.telemetry.service import get_record
from support.gateway import Gateway, completion, sse_chunks
from support.ledger import PRICE, answer, ask, books, config_of
from support.tool_server import ToolServer
from support.upstream import Chunk, Cut, End, Head, Received, Reply, Silence, Step, Upstream, Wait, json_reply

#: US dollars of an answer of nine tokens in and three out, in units of 1e-12.
ONE = 6_090_000_000
MODELS = ("whole", "left", "broken", "retried", "hedged", "asked", "tools", "quiet", "shared", "resumed", "two")


@pytest.fixture(scope="module")
def vendor() -> Iterator[Upstream]:
    with Upstream(answer) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def server() -> Iterator[ToolServer]:
    with ToolServer() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, vendor: Upstream, server: ToolServer) -> Iterator[Gateway]:
    dear = {"input": 20, "output": 4000}
    config = config_of(
        vendor.url,
        {"budgets": {"all": "1000/day", "of-models": {"limit": "1000/day", "per": "model"}}},
        models={
            **{name: {"provider": "vendor", "price": PRICE} for name in MODELS},
            "first": {"provider": "vendor", "price": dear},
            "broken-first": {"provider": "vendor", "price": dear},
        },
        routes={
            "r-retried": {"targets": ["retried"], "attempts": 3},
            "r-two": {"targets": ["first"], "fallback": ["two"], "attempts": 3},
            "r-resumed": {"targets": ["broken-first"], "fallback": ["resumed"], "attempts": 3, "interrupted": "resume"},
            "r-hedged": {"targets": ["hedged"], "hedge": 0.5},
            "r-asked": {
                "targets": ["asked"],
                "form": {"output": {"kind": "enum", "values": ["glad", "merry"]}, "reasks": 2},
                "attempts": 4,
            },
            "r-tools": {"targets": ["tools"], "tools": {"mcp": ["tools"]}},
            "r-shared": {"targets": ["shared"], "single_flight": True},
        },
        mcp={"servers": {"tools": {"url": server.url}}},
    )
    with Gateway(tmp_path_factory.mktemp("gateway"), config, workers=1) as running:
        yield running


@pytest.fixture(autouse=True)
def _forget(vendor: Upstream) -> None:
    vendor.forget()
    vendor.handler = answer


def record_of(gateway: Gateway, request_id: str) -> Record:
    found: list[Record] = []

    def there() -> bool:
        record = get_record(gateway.engine, request_id)
        if record is not None:
            found.append(record)
        return record is not None

    gateway.until(there)
    with reading(gateway.engine) as connection:
        entries = select_entries(connection, found[0].id)
    # A record's charges are kept as entries.
    found[0].charges = {debit: amount for debit, credit, amount in entries if credit == BUDGET}
    return found[0]


def check(record: Record) -> list[int]:
    """See that a record adds up; return what its attempts cost."""
    costs = [attempt.cost for attempt in record.attempts]
    assert None not in costs
    total = sum(cost or 0 for cost in costs)
    assert record.cost_usd is not None
    assert round(float(record.cost_usd) * 1e12) == total
    everyone = [amount for account, amount in record.charges.items() if account.startswith("all|")]
    assert everyone == ([total] if total else [])
    by_model = {account.split("|")[1]: amount for account, amount in record.charges.items() if account[:2] == "of"}
    for name in by_model:
        assert by_model[name] == sum(attempt.cost or 0 for attempt in record.attempts if attempt.target == name)
    assert sum(by_model.values()) == total
    return [cost or 0 for cost in costs]


@pytest.mark.parametrize("kind", ["chat", "chat stream", "messages", "messages stream", "responses", "completions"])
def test_a_stream_costs_what_the_same_answer_costs_whole(gateway: Gateway, kind: str) -> None:
    response = ask(gateway, kind, "whole", headers={"x-request-id": f"whole-{kind.replace(' ', '-')}"})
    assert response.status_code == 200
    record = record_of(gateway, response.headers["x-request-id"])
    assert check(record) == [ONE]
    assert record.usage is not None
    assert not record.usage.estimated
    assert record.attempts[0].priced == "config"


def test_an_answer_whose_usage_nobody_tells_is_estimated_and_not_free(gateway: Gateway, vendor: Upstream) -> None:
    costs = []
    for stream in (False, True):
        if stream:
            vendor.script([Head(), *map(Chunk, sse_chunks("one", " two", " three", usage=False)), End()])
        else:
            body = completion("one two three")
            del body["usage"]
            vendor.script(json_reply(body))
        response = ask(gateway, "chat stream" if stream else "chat", "quiet")
        record = record_of(gateway, response.headers["x-request-id"])
        costs += check(record)
        assert record.attempts[0].usage is not None
        assert record.attempts[0].usage.estimated
    assert costs[0] == costs[1] > 0


@pytest.mark.parametrize("events", [0, 2])
def test_a_stream_that_its_caller_leaves_costs_what_was_made_of_it(
    gateway: Gateway, vendor: Upstream, events: int
) -> None:
    words = sse_chunks("one", " two", finish=None, usage=False, done=False)[: events + 1 if events else 0]
    vendor.script([Head(), *map(Chunk, words), Silence()])
    body = {"model": "left", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    came = len(vendor.requests) + 1
    with gateway.asking("/v1/chat/completions", body, f"left-{events}") as sock:
        vendor.wait_for(came)
        read = b""
        while events and b" two" not in read:
            read += sock.recv(65536)
    record = record_of(gateway, f"left-{events}")
    assert record.outcome == "gone"
    costs = check(record)
    assert len(costs) == 1
    assert costs[0] > 0


def test_a_stream_that_its_upstream_breaks_costs_what_came_of_it(gateway: Gateway, vendor: Upstream) -> None:
    vendor.script([Head(), *map(Chunk, sse_chunks("one", " two", finish=None, usage=False, done=False)), Cut()])
    response = ask(gateway, "chat stream", "broken")
    record = record_of(gateway, response.headers["x-request-id"])
    assert record.outcome == "failed"
    assert sum(check(record)) > 0


def test_what_failed_before_it_began_costs_nothing_and_the_next_its_price(gateway: Gateway, vendor: Upstream) -> None:
    vendor.script(Reply(500, body=b"no"), Reply(503, body=b"no"))
    response = ask(gateway, "chat", "r-retried")
    record = record_of(gateway, response.headers["x-request-id"])
    assert check(record) == [0, 0, ONE]
    assert response.headers["x-mainstay-cost-usd"] == "0.00609"
    assert response.headers["x-mainstay-attempts"] == "3"


def test_a_fallback_is_charged_at_its_own_price(gateway: Gateway, vendor: Upstream) -> None:
    vendor.script(Reply(404, body=b"no"))
    response = ask(gateway, "chat", "r-two")
    record = record_of(gateway, response.headers["x-request-id"])
    assert [attempt.target for attempt in record.attempts] == ["first", "two"]
    assert check(record) == [0, ONE]


def test_a_stream_that_is_taken_up_by_another_model_is_charged_for_both(gateway: Gateway, vendor: Upstream) -> None:
    vendor.script([Head(), *map(Chunk, sse_chunks("one", " two", finish=None, usage=False, done=False)), Cut()])
    response = ask(gateway, "chat stream", "r-resumed", temperature=0)
    record = record_of(gateway, response.headers["x-request-id"])
    assert [attempt.target for attempt in record.attempts] == ["broken-first", "resumed"]
    broken, whole = check(record)
    assert broken > 0
    assert whole == ONE


def test_the_loser_of_a_hedge_is_paid_for(gateway: Gateway, vendor: Upstream) -> None:
    for _ in range(60):
        assert ask(gateway, "chat", "r-hedged").status_code == 200
    outrun: list[Record] = []
    forever = threading.Event()

    def late(request: Received) -> Any:
        # Of two copies the first never answers.
        return [Wait(forever), Cut()] if len(vendor.requests) % 2 else answer(request)

    try:
        for number in range(6):
            vendor.forget()
            vendor.handler = late
            threading.Timer(3, forever.set)
            headers = {"x-request-id": f"hedged-{number}"}
            try:
                ask(gateway, "chat", "r-hedged", headers=headers)
            except httpx.HTTPError:
                continue
            record = record_of(gateway, f"hedged-{number}")
            check(record)
            if len(record.attempts) == 2:
                outrun.append(record)
                break
    finally:
        forever.set()
        vendor.handler = answer
    assert outrun
    loser, winner = outrun[0].attempts
    assert (loser.outcome, winner.outcome) == ("outrun", "ok")
    assert winner.cost == ONE
    assert (loser.cost or 0) > 0


def test_each_answer_that_had_not_its_form_is_paid_for(gateway: Gateway, vendor: Upstream) -> None:
    vendor.script(json_reply(completion("sad")), json_reply(completion("bad")), json_reply(completion("glad")))
    response = ask(gateway, "chat", "r-asked")
    assert response.status_code == 200, response.text
    record = record_of(gateway, response.headers["x-request-id"])
    assert check(record) == [ONE] * 3
    assert [attempt.cause for attempt in record.attempts] == ["first", "reask", "reask"]


@pytest.mark.parametrize("leaves", [False, True])
def test_each_round_of_tools_is_paid_for(gateway: Gateway, vendor: Upstream, leaves: bool) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "tools__weather", "arguments": '{"city": "Bern"}'}}
    first = completion("")
    first["choices"][0]["message"] |= {"content": None, "tool_calls": [call]}
    first["choices"][0]["finish_reason"] = "tool_calls"
    second: Any = [Head(), Chunk(b": on its way\n\n"), Silence()] if leaves else json_reply(completion("one two three"))
    vendor.script(json_reply(first), second)
    body = {"model": "r-tools", "messages": [{"role": "user", "content": "Hi"}]}
    rounds = len(vendor.requests) + 2
    with gateway.asking("/v1/chat/completions", body, f"tools-{leaves}") as sock:
        vendor.wait_for(rounds)
        assert leaves or sock.recv(65536)
    record = record_of(gateway, f"tools-{leaves}")
    costs = check(record)
    assert len(costs) == 2
    assert costs[0] == ONE
    # The round that was left is no dearer than what it can have taken: the first is not in it a second time.
    assert costs[1] == ONE if not leaves else 0 < costs[1] < ONE, (costs, record.attempts[1])


def test_callers_of_one_shared_answer_pay_once_for_it(gateway: Gateway, vendor: Upstream) -> None:
    go_on = threading.Event()

    def slow(request: Received) -> Iterator[Step]:
        yield Wait(go_on)
        yield answer(request)  # type: ignore[misc]  # a whole answer is one step

    vendor.handler = slow
    ids = [f"shared-{number}" for number in range(4)]
    threads = [
        threading.Thread(
            target=ask, args=(gateway, "chat", "r-shared"), kwargs={"temperature": 0, "headers": {"x-request-id": one}}
        )
        for one in ids
    ]
    for thread in threads:
        thread.start()
    vendor.wait_for(1)
    gateway.until(lambda: _in_flight(gateway) >= 4)
    go_on.set()
    for thread in threads:
        thread.join()
    records = [record_of(gateway, one) for one in ids]
    assert sum(len(record.attempts) for record in records) == 1
    assert sum(sum(check(record)) for record in records if record.attempts) == ONE
    assert len(vendor.requests) == 1


def _in_flight(gateway: Gateway) -> float:
    lines = gateway.get("/metrics").decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("mainstay_requests_in_flight"))


def test_a_vendors_own_word_counts_and_what_we_make_of_it_is_kept(gateway: Gateway, vendor: Upstream) -> None:
    body = completion("one two three")
    body["usage"]["cost"] = 0.5
    vendor.script(json_reply(body))
    response = ask(gateway, "chat", "whole")
    record = record_of(gateway, response.headers["x-request-id"])
    assert check(record) == [500_000_000_000]
    assert (record.attempts[0].priced, record.attempts[0].computed) == ("reported", ONE)


@pytest.mark.parametrize("cost", [-1, 1e300, "a lot", None, [], 1e-30])
def test_a_vendors_nonsense_breaks_nothing_and_earns_nothing(gateway: Gateway, vendor: Upstream, cost: object) -> None:
    body = completion("one two three")
    body["usage"] |= {"cost": cost}
    vendor.script(json_reply(body))
    response = ask(gateway, "chat", "whole")
    assert response.status_code == 200
    assert all(amount >= 0 for amount in check(record_of(gateway, response.headers["x-request-id"])))


@pytest.mark.parametrize("tokens", [-5, 10**30, 2**63, 1.5, "9"])
def test_a_vendors_nonsensical_usage_breaks_nothing(gateway: Gateway, vendor: Upstream, tokens: object) -> None:
    body = completion("one two three")
    body["usage"] |= {"completion_tokens": tokens}
    vendor.script(Reply(200, (("content-type", "application/json"),), json.dumps(body).encode()))
    response = ask(gateway, "chat", "whole", headers={"x-request-id": f"nonsense-{tokens}"})
    assert response.status_code == 200
    assert all(amount >= 0 for amount in check(record_of(gateway, f"nonsense-{tokens}")))


def test_the_books_balance_after_all_that(gateway: Gateway) -> None:
    found = books(gateway)
    # Two budgets count each call.
    assert found.balances == 2 * found.cost
