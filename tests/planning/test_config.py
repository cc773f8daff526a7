import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from mainstay.planning.answer import answer
from mainstay.planning.config import Scenario

ROOT = Path(__file__).resolve().parents[2]

LEAST: dict[str, Any] = {"model": {"name": "llama-3.1-8b", "gpu": "H100"}}


def test_a_model_and_a_device_are_enough() -> None:
    scenario = Scenario.model_validate(LEAST)
    assert scenario.model.gpus_per_replica == "auto"
    assert scenario.buy is None


@pytest.mark.parametrize(
    "more",
    [
        {"traffic": {"requests_per_day": 1, "requests_per_month": 30}},
        {"traffic": {"requests_per_day": 0}},
        {"traffic": {"peak_to_mean": 0.5}},
        {"build": {"success": 0}},
        {"buy": {"price": {"input": 1}}},
        {"ranges": {"people": [0, 2]}},
        {"measurements": [{"itl_ms": 10}]},
        {"horizon_months": 0},
        {"colour": "blue"},
    ],
)
def test_what_makes_no_sense_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Scenario.model_validate({**LEAST, **more})


def _models(kind: Any) -> list[Any]:
    found = [kind]
    for info in kind.model_fields.values():
        for part in (info.annotation, *getattr(info.annotation, "__args__", ())):
            if isinstance(part, type) and hasattr(part, "model_fields"):
                found += _models(part)
    return found


def test_every_field_is_explained() -> None:
    Scenario.model_rebuild()
    kinds = _models(Scenario)
    assert len(kinds) == 9
    for kind in kinds:
        for name, info in kind.model_fields.items():
            assert info.description, f"{kind.__name__}.{name}"


PAGE = (ROOT / "docs" / "planning.md").read_text()


def _rows(kind: Any, path: str = "") -> Iterator[tuple[str, str]]:
    for name, info in kind.model_fields.items():
        inner = [part for part in (info.annotation, *getattr(info.annotation, "__args__", ())) if _is_model(part)]
        many = "[]" if "list" in str(info.annotation) else ""
        yield f"{path}{name}{many}", info.description
        for part in inner:
            yield from _rows(part, f"{path}{name}{many}.")


def _is_model(part: Any) -> bool:
    return isinstance(part, type) and hasattr(part, "model_fields")


def test_every_field_stands_in_the_guide_as_it_is_explained() -> None:
    Scenario.model_rebuild()
    for path, description in _rows(Scenario):
        assert f"| `{path}` | {description} |" in PAGE


@pytest.mark.parametrize("block", re.findall(r"^```yml\n(.*?)^```", PAGE, re.M | re.S))
def test_every_scenario_shown_in_the_guide_has_an_answer(block: str) -> None:
    assert answer(Scenario.model_validate(yaml.safe_load(block))).fit.verdict == "fits"


def test_every_example_is_a_scenario() -> None:
    files = list((ROOT / "examples" / "plans").glob("*.yaml"))
    assert files
    for file in files:
        Scenario.model_validate(yaml.safe_load(file.read_text()))
