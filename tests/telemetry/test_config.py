"""``telemetry:`` in the configuration."""

import pytest
from pydantic import ValidationError

from mainstay.telemetry.config import TelemetryConfig


def test_the_log_is_quiet_about_single_calls_by_default() -> None:
    log = TelemetryConfig().log
    assert (log.format, log.level, log.access) == ("auto", "info", False)


@pytest.mark.parametrize("log", [{"format": "xml"}, {"level": "loud"}, {"access": "sometimes"}, {"file": "x"}])
def test_unknown_forms_and_levels_are_refused(log: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        TelemetryConfig.model_validate({"log": log})
