"""Alerts as a receiver meets them: a real gateway, its ledger's process, and a webhook on a socket."""

import json
from pathlib import Path
from typing import Any

from mainstay.cost.audit import audit
from support.gateway import Gateway
from support.ledger import answer, books, config_of, many
from support.upstream import Reply, Upstream


def told(receiver: Upstream) -> list[dict[str, Any]]:
    return [json.loads(request.body)["data"] for request in receiver.requests]


def test_a_budget_that_is_used_up_is_told_to_a_webhook_and_the_books_are_right(tmp_path: Path) -> None:
    with Upstream(answer) as vendor, Upstream(lambda _: [Reply(204)]) as receiver:
        cost = {
            "budgets": {"small": "0.3/day"},
            "alerts": {"webhook": f"{receiver.url}/hook", "at": ["50%", "100%"]},
        }
        with Gateway(tmp_path, config_of(vendor.url, cost)) as gateway:
            statuses = many(gateway, 60, ("chat",))
            assert 402 in statuses
            assert 200 in statuses
            books(gateway)
            gateway.until(lambda: any(one["threshold"] == 1.0 for one in told(receiver)))
            found = audit(gateway.engine)
    assert {one["budget"] for one in told(receiver)} == {"small"}
    # Once for each threshold, whatever happens after it.
    thresholds = [one["threshold"] for one in told(receiver)]
    assert thresholds in ([1.0], [0.5, 1.0])
    assert told(receiver)[-1]["refusing"] is True
    assert found.faults == []
    assert found.records == 60
