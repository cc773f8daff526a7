"""The order of the line is pinned, and its docstring tells the same order."""

import re

from mainstay.line import line

PLAN = [
    "telemetry.Observe",
    "governance.Admit",
    "experiments.Assign",
    "cost.Hold",
    "guardrails.Screen",
    "caching.Recall",
    "grounding.Ground",
    "reading.Read",
    "tools.UseTools",
    "shaping.Shape",
    "routing.Route",
    "cost.Charge",
    "providers.CallProvider",
]


def test_the_docstring_names_the_whole_plan_in_order() -> None:
    assert re.findall(r"^\d+\. ``([A-Za-z.]+)``", line.__doc__ or "", re.MULTILINE) == PLAN


def test_the_line_keeps_the_order_of_the_plan() -> None:
    names = [f"{stage.__module__.split('.')[1]}.{stage.__name__}" for stage in line.LINE]
    assert names == [entry for entry in PLAN if entry in names]
    assert len(names) == len(set(names))
