"""Local engines in the configuration."""

from typing import Any

import pytest
from pydantic import ValidationError

from mainstay.core.config import LoadContext
from mainstay.engines.config import LlamaCppConfig
from mainstay.engines.files import BUNDLED

CONTEXT = LoadContext("/etc/ms", "/srv/home", lambda path: path)


def test_a_bundled_name_stays_and_a_path_becomes_absolute() -> None:
    for name in BUNDLED:
        assert LlamaCppConfig.model_validate({"model": name}, context=CONTEXT).model == name
    for written in ("m.gguf", "./m.GGUF", "../ms/m.gguf"):
        assert LlamaCppConfig.model_validate({"model": written}, context=CONTEXT).model.lower() == "/etc/ms/m.gguf"


def test_threads_are_a_number_or_left_to_the_engine() -> None:
    assert LlamaCppConfig(model="m").threads == 0
    assert LlamaCppConfig.model_validate({"model": "m", "threads": "auto"}).threads == 0
    assert LlamaCppConfig.model_validate({"model": "m", "threads": "4"}).threads == 4
    assert LlamaCppConfig(model="m").model_dump(mode="json")["threads"] == "auto"


@pytest.mark.parametrize(
    "fields",
    [
        {"model": ""},
        {"model": "models/m.bin"},
        {"model": "m\0.gguf"},
        {"threads": 0},
        {"threads": "all"},
        {"threads": -1},
        {"context": 10},
        {"parallel": 0},
        {"start_timeout": "0s"},
        {"lacks": ["speech"]},
    ],
)
def test_what_no_engine_can_do_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LlamaCppConfig.model_validate({"model": "m", **fields})
