"""Presidio behind the port: its kinds by our names, its overlaps settled, and nothing fetched."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from mainstay.core.errors import StartError
from mainstay.guardrails.personal import PersonalConfig, PersonalScanner
from mainstay.guardrails.personal.contexts import open_contexts
from mainstay.guardrails.personal.presidio import PresidioScanner, open_presidio
from mainstay.guardrails.port import Finding


class Analyzer:
    """Finds what it is told to."""

    def __init__(self, *results: tuple[int, int, str, float]) -> None:
        self.results = results

    def analyze(self, text: str, language: str) -> Iterator[SimpleNamespace]:
        assert language == "en"
        for start, end, kind, score in self.results:
            yield SimpleNamespace(start=start, end=end, entity_type=kind, score=score)


def test_its_kinds_have_our_names_and_the_surest_stands() -> None:
    scanner = PresidioScanner(
        Analyzer((6, 12, "PERSON", 0.85), (0, 4, "UK_NHS", 1.0), (4, 9, "LOCATION", 0.5), (20, 25, "CREDIT_CARD", 1.0))
    )
    assert scanner.scan("x" * 30) == [
        Finding(0, 4, "national_id", 1.0, "presidio:UK_NHS"),
        Finding(6, 12, "person", 0.85, "presidio:PERSON"),
        Finding(20, 25, "card", 1.0, "presidio:CREDIT_CARD"),
    ]
    assert {"person", "national_id"} <= scanner.kinds


def test_it_is_heard_beside_our_own_rules() -> None:
    other = PresidioScanner(Analyzer((0, 5, "PERSON", 0.85), (9, 16, "PERSON", 0.85)))
    scanner = PersonalScanner(PersonalConfig(kinds=("person", "email")), open_contexts(), None, [other])
    found = [(one.kind, one.rule) for one in scanner.scan("Sarah at a@b.com")]
    assert found == [("person", "presidio:PERSON"), ("email", "email")]
    assert scanner.reach == other.reach


def test_it_must_be_installed() -> None:
    with pytest.raises(StartError, match="presidio_analyzer is not installed"):
        open_presidio()
