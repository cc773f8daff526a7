"""Steps are made of a route's configuration; what finds languages is loaded once, and only for those who want it."""

from pathlib import Path

import pytest

from mainstay.guardrails import service
from mainstay.guardrails.config import LanguageConfig, RailConfig
from mainstay.guardrails.null import NullDetector
from mainstay.guardrails.sends_config import SendsConfig
from mainstay.guardrails.service import Screens
from mainstay.guardrails.stage import Screen


def test_detectors_are_loaded_with_the_first_route_that_needs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[NullDetector] = []

    def load() -> NullDetector:
        loaded.append(NullDetector())
        return loaded[-1]

    monkeypatch.setattr(service, "open_detector", load)
    screens = Screens()
    assert screens.steps("r", Path(), None, {}) == ()
    assert loaded == []
    for _ in range(2):
        assert len(screens.steps("r", Path(), LanguageConfig(), {})) == 1
    assert len(loaded) == 1


def test_what_is_not_kept_is_what_is_usual_and_what_rails_take_out(tmp_path: Path) -> None:
    rails = {
        "names": RailConfig.model_validate({"what": "words", "do": "mask", "words": ["Project X"]}),
        "noted": RailConfig.model_validate({"what": "words", "do": "flag", "words": ["hello"]}),
    }
    scanners = Screens().redacting(tmp_path, rails)
    kinds = frozenset[str]().union(*(scanner.kinds for scanner in scanners))
    assert {"email", "person", "api_key", "private_key", "word"} <= kinds
    assert len(scanners) == 3
    assert not any(scanner.scan("hello") for scanner in scanners)


def test_a_route_with_rails_has_a_step_without_a_language(tmp_path: Path) -> None:
    rails = {"names": RailConfig.model_validate({"what": "words", "do": "mask", "words": ["Project X"]})}
    assert len(Screens().steps("r", tmp_path, None, rails)) == 1


def test_a_route_may_want_tools_that_send_held_back_and_no_rails(tmp_path: Path) -> None:
    sends = SendsConfig.model_validate({})
    (step,) = Screens().steps("r", tmp_path, None, {}, sends=sends)
    assert isinstance(step, Screen)
    assert Screens().steps("r", tmp_path, None, {}) == ()
