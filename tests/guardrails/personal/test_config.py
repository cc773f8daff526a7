"""What may be written about personal data, and what is refused with a sentence that helps."""

import pytest
from pydantic import ValidationError

from mainstay.guardrails.personal.config import PersonalConfig


def test_nothing_need_be_said() -> None:
    config = PersonalConfig()
    assert "person" in config.kinds
    assert "place" not in config.kinds


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"kinds": ["name"]}, "Input should be 'person'"),
        ({"kinds": []}, "at least 1 item"),
        ({"locales": ["xx"]}, "Input should be 'en'"),
        ({"countries": ["zz"]}, "knows no identity numbers of zz"),
        ({"patterns": {"a": {"pattern": "("}}}, "is no regular expression"),
        ({"patterns": {"a": {"pattern": "x*"}}}, "matches nothing at all"),
        ({"patterns": {"A b": {"pattern": "x"}}}, "should match pattern"),
        ({"lists": {"a": ["x"]}}, "at least 2 characters"),
        ({"treshold": 1}, "Extra inputs"),
    ],
)
def test_what_cannot_be_is_refused(value: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        PersonalConfig.model_validate(value)
