"""Settings of the semantic tier."""

import pytest
from pydantic import ValidationError

from mainstay.caching.semantic_config import SemanticConfig


def test_what_is_not_said_is_strict() -> None:
    config = SemanticConfig()
    assert (config.similarity, config.error, config.shadow, config.start) == (0.9, 0.01, 0.05, "prove")


def test_shares_are_written_in_percent_or_as_numbers() -> None:
    assert SemanticConfig.model_validate({"shadow": "10%", "error": 0.02}).shadow == 0.1
    assert SemanticConfig.model_validate({"error": "2 %"}).error == 0.02


@pytest.mark.parametrize(
    "fields",
    [
        {"similarity": 0.5},
        {"similarity": 1.1},
        {"shadow": "0%"},
        {"shadow": "101%"},
        {"shadow": "five%"},
        {"error": 0},
        {"error": 1},
        {"start": "hope"},
        {"entries": 0},
    ],
)
def test_what_would_make_it_careless_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SemanticConfig.model_validate(fields)
