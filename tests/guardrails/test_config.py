"""``language`` of a route: what it takes and what it refuses to take."""

from typing import Any

import pytest
from pydantic import ValidationError

from mainstay.config.references import cross_check
from mainstay.guardrails.config import LanguageConfig


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"allow": ["zh-CN"]}, "did you mean zh?"),
        ({"allow": ["EN"]}, "did you mean en?"),
        ({"allow": ["german"]}, "did you mean de?"),
        ({"allow": ["portugese"]}, "did you mean pt?"),
        ({"targets": {"qqq": "m"}}, "such as en or de"),
        ({"allow": []}, "at least 1 item"),
        ({"unknown": "refuse"}, "refuses nothing without 'allow'"),
        ({"refuse": "No."}, "refuses nothing without 'allow'"),
        ({"allow": ["en"], "targets": {"ja": "m"}}, "'targets.ja' is never used"),
        ({"allow": ["en"], "prompts": {"ja": "p"}}, "'prompts.ja' is never used"),
        ({"allow": ["en"], "refuse": {"en": "No."}}, "'refuse.en' is never said"),
    ],
)
def test_what_cannot_work_is_refused_with_the_way_out(written: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        LanguageConfig.model_validate(written)
    assert said in str(refused.value)


def test_models_and_prompts_chosen_by_language_must_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    document = {
        "providers": {"p": {"kind": "echo"}},
        "models": {"small": {"provider": "p"}},
        "prompts": {"support@1": "Be kind."},
        "routes": {
            "r": {
                "targets": ["small"],
                "language": {"targets": {"ja": "smal", "de": "small"}, "prompts": {"ja": "suport", "de": "support"}},
            },
            "odd": {"targets": ["small"], "language": "de"},
        },
    }
    monkeypatch.setattr("mainstay.config.references.is_installed", lambda: True)
    found = {finding.place[-1]: finding for finding in cross_check(document, document) if finding.place[1] == "r"}
    assert [finding.place for finding in cross_check(document, document)] == [
        ("routes", "r", "language", "targets", "ja"),
        ("routes", "r", "language", "prompts", "ja"),
    ]
    assert found["ja"].hint == "did you mean 'support'?"


def test_a_missing_package_is_told_when_the_configuration_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mainstay.config.references.is_installed", lambda: False)
    document = {
        "providers": {"p": {"kind": "echo"}},
        "models": {"small": {"provider": "p"}},
        "routes": {"r": {"targets": ["small"], "language": {}}, "s": {"targets": ["small"]}},
    }
    (finding,) = cross_check(document, document)
    assert finding.place == ("routes", "r", "language")
    assert "pip install" in finding.message
