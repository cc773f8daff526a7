"""``modalities`` of a route and ``reading``: what they take and what they refuse to take."""

from typing import Any

import pytest
from pydantic import ValidationError

from mainstay.config.references import cross_check
from mainstay.reading.config import FetchConfig, ModalitiesConfig, ReadingConfig


@pytest.mark.parametrize(
    "host", ["*", "example.com", "*.example.com", "EXAMPLE.com:8443", "10.1.2.3", "[2606:4700::1111]", "[::1]:81", "a"]
)
def test_hosts_that_may_be_allowed(host: str) -> None:
    assert FetchConfig(allow=(host,)).allow == (host.lower(),)


@pytest.mark.parametrize(
    "written",
    [
        {},
        {"allow": []},
        {"allow": ["https://example.com"]},
        {"allow": ["example.com/path"]},
        {"allow": ["*example.com"]},
        {"allow": ["a.*.com"]},
        {"allow": [""]},
        {"allow": ["example.com:x"]},
        {"allow": ["*"], "networks": ["10.0.0.0/99"]},
        {"allow": ["*"], "networks": ["10.1.2.3/8"]},
        {"allow": ["*"], "redirects": 11},
        {"allow": ["*"], "timeout": "0s"},
    ],
)
def test_what_is_no_rule_for_fetching_is_refused(written: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        FetchConfig.model_validate(written)


def test_nothing_is_fetched_and_one_process_reads_unless_it_is_said() -> None:
    assert ModalitiesConfig().fetch is None
    assert ModalitiesConfig().audio is None
    assert ReadingConfig().processes == 1


def test_the_audio_model_must_exist_and_packages_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    document = {
        "providers": {"p": {"kind": "echo"}},
        "models": {"whisper": {"provider": "p"}},
        "routes": {
            "r": {"targets": ["whisper"], "modalities": {"audio": "wisper", "images": False}},
            "s": {"targets": ["whisper"], "modalities": {"audio": "whisper"}},
            "odd": {"targets": ["whisper"], "modalities": True},
        },
    }
    for module in ("ocr", "pdf"):
        monkeypatch.setattr(f"mainstay.reading.{module}.is_installed", lambda: True)
    (finding,) = cross_check(document, document)
    assert finding.place == ("routes", "r", "modalities", "audio")
    assert finding.hint == "did you mean 'whisper'?"
    monkeypatch.setattr("mainstay.reading.ocr.is_installed", lambda: False)
    found = [finding for finding in cross_check(document, document) if finding.place[-1] == "images"]
    assert [finding.place[1] for finding in found] == ["s"]
    assert "pip install 'mainstay[modalities]'; or set it to false" in found[0].message
