"""``python -m bench.policy``: how fast usage policies decide, few of them and tens of thousands, and whether rightly.

The many are of one key or team and one model each, beside a few that every call is of. Some of the decisions are
compared with what Cedar says when it is given every policy at once, as they are written. Times are the processor's.
"""

import argparse
import random
import sys
from collections.abc import Sequence
from time import thread_time
from typing import Any, NamedTuple

from bench.stats import percentile
from bench.text import table
from mainstay.governance.cedar import PolicyText, read_policies
from mainstay.governance.policy import Asking, ModelFacts, Policies

__all__ = ["Found", "main", "measure"]

#: At most so many milliseconds for 99 of 100 decisions among many policies.
_P99 = 1.0
_MODELS = tuple(ModelFacts(f"m{at}", region="eu-1" if at % 2 else "us-1", local=at == 0) for at in range(20))
_COMMON = """
@id("all") permit(principal in Organisation::"o0", action, resource);
@id("stays") forbid(principal, action, resource) when { context.data.contains("personal") && !resource.local };
"""


class Found(NamedTuple):
    """Microseconds for a decision that is new, of 50 and of 99 in 100, and for one that is known; and disagreements."""

    rules: int
    opened_ms: float
    new: float
    slow: float
    known: float
    compared: int
    wrong: int


def _rules(count: int, chance: random.Random) -> str:
    heads = (
        lambda: f'principal == Key::"k{chance.randrange(count + 1)}"',
        lambda: f'principal == Key::"k{chance.randrange(count + 1)}"',
        lambda: f'principal in Team::"t{chance.randrange(count // 10 + 1)}"',
    )
    return "\n".join(
        f"{chance.choice(('permit', 'forbid'))}({chance.choice(heads)()}, action, "
        f'resource == Model::"m{chance.randrange(len(_MODELS))}");'
        for _ in range(count)
    )


def measure(rules: int, requests: int, compared: int, seed: int = 1) -> Found:
    """Decide ``requests`` new calls under so many policies, and ``compared`` of them by all policies at once."""
    from cedarpy import PolicySet, is_authorized

    chance = random.Random(seed)
    text = PolicyText("bench.cedar", _COMMON + _rules(rules, chance))
    parsed = read_policies([text])
    start = thread_time()
    policies = Policies(parsed, _MODELS)
    opened = (thread_time() - start) * 1e3
    asked = [_asking(rules, chance) for _ in range(requests)]
    times = []
    for asking, model in asked:
        start = thread_time()
        policies.decide(asking, model)
        times.append((thread_time() - start) * 1e6)
    times.sort()
    last = asked[-1000:]
    start = thread_time()
    for asking, model in last:
        policies.decide(asking, model)
    known = (thread_time() - start) * 1e6 / len(last)
    whole = PolicySet.from_str(text.text)
    wrong = sum(
        is_authorized(_request(asking, model), whole, _entities(asking)).allowed
        is not policies.decide(asking, model).permitted
        for asking, model in asked[:compared]
    )
    shares = percentile(times, 0.5), percentile(times, 0.99)
    return Found(len(parsed), opened, *shares, known, min(compared, requests), wrong)


def _request(asking: Asking, model: str) -> dict[str, Any]:
    texts = {"route": "", "operation": "chat", "purpose": "", "user": {"__entity": {"type": "User", "id": ""}}}
    context = {**texts, "data": sorted(asking.data), "masked": [], "checked": []}
    who, what = {"type": "Key", "id": asking.key}, {"type": "Model", "id": model}
    return {"principal": who, "action": 'Action::"ask"', "resource": what, "context": context}


def _entities(asking: Asking) -> list[dict[str, Any]]:
    organisation = {"type": "Organisation", "id": asking.organisation}
    team = {"type": "Team", "id": asking.team}
    models = [
        {"uid": {"type": "Model", "id": one.name}, "attrs": {**one.attributes()}, "parents": []} for one in _MODELS
    ]
    key = {"uid": {"type": "Key", "id": asking.key}, "attrs": {}, "parents": [team]}
    return [*models, key, {"uid": team, "attrs": {}, "parents": [organisation]}]


def _asking(rules: int, chance: random.Random) -> tuple[Asking, str]:
    data = frozenset({"personal"}) if chance.random() < 0.3 else frozenset[str]()
    team = f"t{chance.randrange(rules // 10 + 1)}"
    asking = Asking(f"k{chance.randrange(max(rules, 10_000))}", team, f"o{chance.randrange(2)}", data=data)
    return asking, f"m{chance.randrange(len(_MODELS))}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what was found; return 0 if every promise is kept."""
    parser = argparse.ArgumentParser(prog="python -m bench.policy", description=__doc__)
    parser.add_argument("--rules", type=int, default=30_000, help="policies of one key or team (30,000)")
    parser.add_argument("--requests", type=int, default=20_000, help="calls to decide (20,000)")
    parser.add_argument("--compared", type=int, default=200, help="decisions compared with all policies at once (200)")
    given = parser.parse_args(arguments)
    found = [
        measure(rules, given.requests, given.compared)
        for rules in sorted({min(rules, given.rules) for rules in (1, 200, given.rules)})
    ]
    head = ["policies", "open", "new p50", "new p99", "known", "wrong"]
    rows = [
        [
            f"{one.rules:,}",
            f"{one.opened_ms:,.0f} ms",
            f"{one.new:,.0f} µs",
            f"{one.slow:,.0f} µs",
            f"{one.known:.2f} µs",
            f"{one.wrong} of {one.compared}",
        ]
        for one in found
    ]
    print(table([head, *rows]))
    print(f"promised: 99 of 100 new decisions within {_P99} ms, none wrong")
    return 0 if all(one.slow <= _P99 * 1e3 and not one.wrong for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
