"""SARIF 2.1.0: what its schema requires is there, indices agree, and the same finding has the same fingerprint."""

import json
import re

from mainstay.redteam.gate import Gate
from mainstay.redteam.sarif import sarif
from support.redteam import summary_of


def test_everything_that_the_schema_requires_is_there() -> None:
    log = json.loads(json.dumps(sarif(summary_of(Gate(max_success=0.1)))))
    assert set(log) == {"$schema", "version", "runs"}
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"]
    assert all(rule["id"] and rule["shortDescription"]["text"] for rule in driver["rules"])
    assert len({rule["id"] for rule in driver["rules"]}) == len(driver["rules"])
    assert run["invocations"] == [{"executionSuccessful": False, "exitCode": 1}]
    for result in run["results"]:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("none", "note", "warning", "error")
        assert result["message"]["text"]
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] == "mainstay.yaml"
        assert place["region"]["startLine"] >= 1
        assert re.fullmatch("[0-9a-f]{64}", result["partialFingerprints"]["case/v1"])


def test_an_attack_is_an_error_and_a_harmless_request_a_warning() -> None:
    results = sarif(summary_of())["runs"][0]["results"]
    assert [result["level"] for result in results] == ["error", "error", "warning"]
    assert results[0]["properties"]["tags"] == ["LLM01:2025", "AML.T0051.000"]


def test_the_same_finding_has_the_same_fingerprint() -> None:
    prints = [[one["partialFingerprints"] for one in sarif(summary_of())["runs"][0]["results"]] for _ in range(2)]
    assert prints[0] == prints[1]
    assert len({one["case/v1"] for one in prints[0]}) == len(prints[0])
