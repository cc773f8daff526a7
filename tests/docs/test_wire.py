"""The page that says what holds on the wire: each case is shown by a test that exists, or says why it is not."""

import ast
import re
from functools import lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "wire.md"
TEST = re.compile(r"`(tests/[\w/.]+\.py)::(\w+)`")


def rows() -> list[tuple[str, str]]:
    found = []
    for line in PAGE.read_text().splitlines():
        if line.startswith("|") and not line.startswith(("| Case |", "|---")):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
            assert len(cells) == 2, line
            found.append((cells[0], cells[1]))
    return found


@lru_cache
def names(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text())
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize(("case", "shown"), rows(), ids=[case[:60] for case, _ in rows()])
def test_each_case_is_shown_by_a_test_or_says_why_not(case: str, shown: str) -> None:
    assert case
    if shown.startswith("Exception: "):
        assert len(shown) > 30, f"{case}: an exception says why"
        return
    tests = TEST.findall(shown)
    assert tests, f"{case}: neither a test nor an exception"
    for path, name in tests:
        assert name in names(path), f"{case}: {path} has no {name}"


def test_no_case_stands_twice() -> None:
    cases = [case for case, _ in rows()]
    assert len(cases) == len(set(cases))
