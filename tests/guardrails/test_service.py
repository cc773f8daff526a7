"""Steps are made of a route's configuration; what finds languages is loaded once, and only for those who want it."""

import pytest

from mainstay.guardrails import service
from mainstay.guardrails.config import LanguageConfig
from mainstay.guardrails.null import NullDetector
from mainstay.guardrails.service import Screens


def test_detectors_are_loaded_with_the_first_route_that_needs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[NullDetector] = []

    def load() -> NullDetector:
        loaded.append(NullDetector())
        return loaded[-1]

    monkeypatch.setattr(service, "open_detector", load)
    screens = Screens()
    assert screens.steps(None) == ()
    assert loaded == []
    assert len(screens.steps(LanguageConfig())) == len(screens.steps(LanguageConfig())) == 1
    assert len(loaded) == 1
