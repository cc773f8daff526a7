"""Rows become rails: what looks is opened once, and only for those who want it."""

from pathlib import Path
from typing import Any

import pytest

from mainstay.core.errors import StartError
from mainstay.guardrails import compile as compiling
from mainstay.guardrails.compile import Instruments, Railing, compile_rails
from mainstay.guardrails.config import RailConfig
from support.rails import Guard, rows


def made(rails: dict[str, Any], instruments: Instruments | None = None) -> Railing:
    return compile_rails("r", rows(rails), instruments or Instruments(Path("nowhere"), Guard), "canary")


def test_rails_keep_the_order_of_their_writing_and_their_places() -> None:
    railing = made(
        {
            "b": {"what": "words", "do": "mask", "words": ["x"]},
            "a": {"what": "refusal", "do": "flag"},
            "c": {"what": "personal", "do": "pseudonymise"},
        }
    )
    assert [rail.name for rail in railing.rails] == ["b", "a", "c"]
    assert [rail.name for rail in railing.asked] == ["b", "c"]
    assert [rail.name for rail in railing.answered] == ["b", "a"]


def test_scanners_and_judges_are_opened_once_and_shared() -> None:
    opened: list[str] = []

    def guard(name: str) -> Guard:
        opened.append(name)
        return Guard(name)

    instruments = Instruments(Path("nowhere"), guard)
    first = made({"a": {"what": "personal", "do": "mask"}, "b": {"what": "profanity", "do": "flag"}}, instruments)
    second = made({"a": {"what": "personal", "do": "flag"}, "b": {"what": "profanity", "do": "block"}}, instruments)
    assert opened == ["profanity"]
    assert first.rails[0].scanner is second.rails[0].scanner
    assert first.rails[1].judge is second.rails[1].judge


def test_kinds_choose_the_scanner_and_names_are_loaded_for_those_who_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[Any, bool]] = []

    def opening(config: Any) -> Any:
        opened.append((config.kinds, config.names))
        return Guard("x")

    monkeypatch.setattr(compiling, "open_personal", opening)
    made({"a": {"what": "personal", "do": "mask", "kinds": ["phone", "email"]}})
    made({"a": {"what": "personal", "do": "mask", "kinds": ["organisation"]}})
    assert opened == [(("email", "phone"), False), (("organisation",), True)]


def test_untrusted_texts_have_rules_of_their_own() -> None:
    railing = made({"a": {"what": "injection", "do": "mask", "method": "rules"}})
    assert [(rail.name, sorted(rail.where)) for rail in railing.rails] == [
        ("a", ["input"]),
        ("a", ["retrieved", "tool_result"]),
    ]
    assert railing.rails[0].scanner is not railing.rails[1].scanner


def test_thresholds_are_the_judges_own_unless_the_row_says_otherwise() -> None:
    def guard(name: str) -> Guard:
        return Guard("hate", "threat", "sexual")

    row: dict[str, Any] = {
        "what": "moderation",
        "do": "block",
        "kinds": ["hate", "threat"],
        "thresholds": {"hate": 0.2},
    }
    instruments = Instruments(Path("nowhere"), guard)
    assert made({"a": row}, instruments).rails[0].thresholds == {"hate": 0.2, "threat": 0.5}
    assert made({"a": {**row, "threshold": 0.7}}, instruments).rails[0].thresholds == {"hate": 0.2, "threat": 0.7}


def test_topics_are_judged_by_their_phrases() -> None:
    pytest.importorskip("onnxruntime", reason="the extra 'guards' is not installed")
    row = {"what": "topics", "do": "block", "allow": {"shoes": ["Which size fits?"]}, "deny": {"law": ["Can I sue?"]}}
    assert made({"a": row}).rails[0].thresholds == {"deny:law": 0.8, "off_topic": 0.7}


def test_a_canary_is_set_where_a_rail_looks_for_it() -> None:
    assert made({"a": {"what": "canary", "do": "block"}}).canary == "canary"
    assert made({"a": {"what": "secrets", "do": "mask"}}).canary == ""


def test_private_keys_of_many_lines_are_secrets_too() -> None:
    scanner = made({"a": {"what": "secrets", "do": "mask"}}).rails[0].scanner
    assert scanner is not None
    block = "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEowIBAAKCAQEAvJ7Tq2Zx9Lk4\n" * 4 + "-----END RSA PRIVATE KEY-----"
    assert [one.kind for one in scanner.scan(f"AKIAIOSFODNN7QZJ4TKL {block}")] == ["api_key", "private_key"]
    assert "private_key" in scanner.kinds
    assert scanner.reach >= 8192


def test_a_missing_package_is_told_with_the_name_of_the_rail() -> None:
    def guard(name: str) -> Guard:
        raise StartError("The guard 'moderation' needs packages.")

    with pytest.raises(StartError, match="The rail 'nice' cannot look: The guard 'moderation' needs packages"):
        made({"nice": {"what": "moderation", "do": "block"}}, Instruments(Path("nowhere"), guard))


def test_a_route_without_a_history_cannot_tell_novelty(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="the extra 'guards' is not installed")
    with pytest.raises(StartError, match="mainstay novelty fit r"):
        made({"new": {"what": "novelty", "do": "flag"}}, Instruments(tmp_path))


def test_what_is_done_is_taken_over() -> None:
    row = {"what": "secrets", "do": {"route": "calm"}, "mode": "monitor", "failure": "open", "threshold": 0.9}
    (rail,) = made({"a": row}).rails
    assert (rail.do, rail.model, rail.enforce, rail.closed, rail.least) == ("route", "calm", False, False, 0.9)
    assert RailConfig.model_validate(row).places == ("input", "retrieved", "tool_result")
