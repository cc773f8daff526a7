"""Every task of every wire has code behind it."""

import json

import pytest

from mainstay.core.target import Operation, Target
from mainstay.providers.tasks import TASKS, make_task
from mainstay.providers.tasks.embeddings import read_embeddings
from mainstay.providers.vendors.row import OFFERED


@pytest.mark.parametrize(
    ("wire", "operation"), [(wire, operation) for wire, found in TASKS.items() for operation in found]
)
def test_a_task_can_be_made(wire: str, operation: Operation) -> None:
    assert make_task(wire, operation) is not None
    assert operation in OFFERED[wire]


def test_what_a_row_may_offer_can_be_made() -> None:
    for wire, operations in OFFERED.items():
        assert operations - {Operation.COMPLETION} == set(TASKS[wire])


def test_a_models_name_keeps_its_slashes_in_a_path() -> None:
    ask = read_embeddings(json.dumps({"model": "m", "input": "x"}).encode())
    target = Target("m", "p", "openai", "org/name of it")
    path, body = (
        make_task("openai", Operation.EMBEDDING, "/x/{model}/y").about(ask, target).request(ask, target, stream=False)
    )
    assert path == b"/x/org/name%20of%20it/y"
    assert json.loads(body)["model"] == "org/name of it"
