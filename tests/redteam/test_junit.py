"""JUnit's XML: it parses whatever an answer holds, and its counts are those of the run."""

from xml.etree import ElementTree

from mainstay.redteam.junit import junit
from support.redteam import NASTY, summary_of


def test_it_parses_and_counts_rightly() -> None:
    root = ElementTree.fromstring(junit(summary_of()))
    assert root.tag == "testsuites"
    counts = {name: int(root.attrib[name]) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": 10, "failures": 3, "errors": 1, "skipped": 1}
    for suite in root:
        cases = suite.findall("testcase")
        assert int(suite.attrib["tests"]) == len(cases)
        assert int(suite.attrib["failures"]) == len(suite.findall("testcase/failure"))
    assert {suite.attrib["name"] for suite in root} == {"injection", "prompt_leak", "benign"}


def test_a_failure_says_what_was_tried_and_what_came() -> None:
    root = ElementTree.fromstring(junit(summary_of()))
    failure = root.find("testsuite/testcase/failure")
    assert failure is not None
    assert failure.attrib == {"type": "marker", "message": "The attack succeeded"}
    assert failure.text is not None
    assert "LLM01:2025 Prompt Injection" in failure.text
    assert NASTY.replace("\x00", "\ufffd").replace("\x1b", "\ufffd") in failure.text
