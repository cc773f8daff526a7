"""``language`` and ``rails`` of a route: what they take and what they refuse to take."""

from typing import Any

import pytest
from pydantic import ValidationError

from mainstay.config.references import cross_check
from mainstay.guardrails.config import LanguageConfig, RailConfig, kinds_of
from mainstay.guardrails.models import open_guard


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


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"what": "personl", "do": "mask"}, "'personal'"),
        ({"what": "personal"}, "do"),
        ({"what": "personal", "do": "hide"}, "'mask'"),
        ({"what": "moderation", "do": "mask"}, "knows no place to mask; block or flag it"),
        ({"what": "injection", "do": "mask"}, "`method: rules` knows places"),
        ({"what": "injection", "do": "pseudonymise", "method": "rules"}, "mask or block it"),
        (
            {"what": "personal", "do": "pseudonymise", "where": ["input", "output"]},
            "'pseudonymise' is for what a model",
        ),
        ({"what": "personal", "do": {"route": "m"}, "where": "output"}, "'route' is for what a model is asked"),
        ({"what": "personal", "do": "human", "where": "output"}, "'human' is for what a model is asked"),
        ({"what": "canary", "do": "human"}, "not 'human'"),
        ({"what": "refusal", "do": "flag", "where": "input"}, "is found in answers"),
        ({"what": "novelty", "do": "flag", "where": "retrieved"}, "what the user asks"),
        ({"what": "personal", "do": "mask", "where": ["input", "input"]}, "names a place twice"),
        ({"what": "personal", "do": "mask", "kinds": ["emial"]}, "did you mean email?"),
        ({"what": "moderation", "do": "flag", "kinds": ["hat"]}, "did you mean hate?"),
        ({"what": "moderation", "do": "flag", "thresholds": {"nonsense": 0.5}}, "it finds harassment, hate"),
        ({"what": "moderation", "do": "flag", "kinds": ["hate"], "thresholds": {"threat": 0.5}}, "is never used"),
        ({"what": "moderation", "do": "flag", "threshold": 2}, "less than or equal to 1"),
        ({"what": "personal", "do": "mask", "thresholds": {"email": 0.5}}, "write one 'threshold'"),
        ({"what": "words", "do": "block"}, "looks for what 'words' names"),
        ({"what": "pattern", "do": "block", "patterns": ["\\d+"]}, "bound its repetitions"),
        ({"what": "secrets", "do": "block", "words": ["x"]}, "with `what: words` only"),
        ({"what": "topics", "do": "block"}, "'allow' or 'deny'"),
        ({"what": "secrets", "do": "block", "deny": {"law": ["Can I sue?"]}}, "with `what: topics` only"),
        ({"what": "topics", "do": "block", "deny": {"law": ["Can I sue?"]}, "kinds": ["deny:lav"]}, "deny:law?"),
        ({"what": "secrets", "do": "block", "method": "rules"}, "with `what: injection` only"),
        ({"what": "secrets", "do": "mask", "reply": "No."}, "`do: block`"),
        ({"what": "secrets", "do": "mask", "style": "realistic"}, "`do: pseudonymise`"),
    ],
)
def test_a_rail_that_cannot_work_is_refused_with_the_way_out(written: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        RailConfig.model_validate(written)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("written", "places"),
    [
        ({"what": "personal", "do": "mask"}, ("input", "retrieved", "tool_result")),
        ({"what": "personal", "do": "mask", "where": "output"}, ("output",)),
        ({"what": "secrets", "do": "mask"}, ("input", "retrieved", "tool_result", "output")),
        ({"what": "secrets", "do": "pseudonymise"}, ("input", "retrieved", "tool_result")),
        ({"what": "moderation", "do": {"route": "m"}}, ("input",)),
        ({"what": "canary", "do": "block"}, ("output",)),
        ({"what": "novelty", "do": "human"}, ("input",)),
    ],
)
def test_a_rail_looks_where_it_makes_sense(written: dict[str, Any], places: tuple[str, ...]) -> None:
    assert RailConfig.model_validate(written).places == places


@pytest.mark.parametrize("name", ["injection", "moderation", "profanity", "refusal"])
def test_the_kinds_of_judges_are_those_of_their_weights(name: Any) -> None:
    pytest.importorskip("onnxruntime", reason="the extra 'guards' is not installed")
    assert kinds_of(name) == open_guard(name).heads - {"compliance"}


def test_what_a_rail_needs_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    rails = {
        "away": {"what": "secrets", "do": {"route": "smal"}},
        "model": {"what": "injection", "do": "block"},
        "rules": {"what": "injection", "do": "block", "method": "rules"},
    }
    document = {
        "providers": {"p": {"kind": "echo"}},
        "models": {"small": {"provider": "p"}},
        "routes": {"r": {"targets": ["small"], "rails": rails}},
    }
    monkeypatch.setattr("mainstay.encoders.minilm.is_installed", lambda: False)
    found = {finding.place: finding for finding in cross_check(document, document)}
    assert set(found) == {("routes", "r", "rails", "away", "do", "route"), ("routes", "r", "rails", "model", "what")}
    assert "mainstay[guards]" in found["routes", "r", "rails", "model", "what"].message


def test_rails_that_look_at_images_need_what_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mainstay.reading.ocr.is_installed", lambda: False)
    row = {"what": "words", "words": ["x"], "do": "block", "images": True}
    document = {"routes": {"r": {"targets": [], "rails": {"seen": row, "blind": {**row, "images": False}}}}}
    (found,) = cross_check(document, document)
    assert found.place == ("routes", "r", "rails", "seen", "images")
    assert "mainstay[modalities]" in found.message


@pytest.mark.parametrize(
    "row", [{"what": "refusal", "do": "flag"}, {"what": "words", "words": ["x"], "where": "output", "do": "mask"}]
)
def test_answers_have_no_images_to_look_at(row: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="'images' come in what is sent"):
        RailConfig.model_validate({**row, "images": True})
