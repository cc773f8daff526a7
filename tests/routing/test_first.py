"""``choose: first`` keeps the written order."""

from typing import Any

from mainstay.core.target import Target
from mainstay.routing.first import First


def test_the_written_order_is_kept() -> None:
    nobody: Any = None
    targets = [Target(name, "p", "openai", name) for name in "cab"]
    assert [t.model for t in First().order(nobody, targets)] == ["c", "a", "b"]
