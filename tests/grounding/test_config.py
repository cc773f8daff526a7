"""What people may write of knowledge bases, and what they are told when it is wrong."""

from typing import Any

import pytest
from pydantic import ValidationError

from mainstay.grounding.config import EmbedderConfig, KnowledgeConfig, SourceConfig, source_name


def test_a_base_needs_nothing_and_a_source_only_its_place() -> None:
    assert KnowledgeConfig.model_validate({}) == KnowledgeConfig()
    row = KnowledgeConfig.model_validate(
        {
            "sources": [
                {"path": "handbook", "every": "5m", "groups": ["hr"], "ttl": "30d"},
                {"urls": ["https://a.test"]},
            ],
            "embedder": {"model": "embed"},
            "groups": {"hr": ["team:people", "key:ann's key", "everyone"]},
        }
    )
    assert [source_name(source) for source in row.sources] == ["handbook", "web"]
    assert (row.sources[0].every, row.sources[0].ttl) == (300.0, 30 * 86400.0)
    assert row.embedder == EmbedderConfig(model="embed")


def test_a_source_is_called_by_its_folder_or_as_it_says() -> None:
    assert source_name(SourceConfig(path="/srv/docs/")) == "docs"
    assert source_name(SourceConfig(path="/")) == "files"
    assert source_name(SourceConfig(path="/srv/docs", name="Our docs")) == "Our docs"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"sources": [{}]}, "either 'path' or 'urls'"),
        ({"sources": [{"path": "a", "urls": ["https://a.test"]}]}, "either 'path' or 'urls'"),
        ({"sources": [{"path": "a/x"}, {"path": "b/x"}]}, "two sources are called 'x'"),
        ({"sources": [{"urls": ["ftp://a.test"]}]}, "http:// or https://"),
        ({"sources": [{"urls": ["https://ann:secret@a.test"]}]}, "no user name or password"),
        ({"sources": [{"path": "a", "networks": ["10.0.0.0/99"]}]}, "is no network"),
        ({"sources": [{"path": "a", "groups": ["h r"]}]}, "no name of a group"),
        ({"sources": [{"path": "a", "fields": {"1": "x"}}]}, "no name of a field"),
        ({"groups": {"hr": ["ann"]}}, "names nobody"),
        ({"chunk": {"characters": 300, "least": 200}}, "half of 'characters'"),
    ],
)
def test_what_is_wrong_is_told(row: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        KnowledgeConfig.model_validate(row)
