"""What people may write of knowledge bases, and what they are told when it is wrong."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from mainstay.grounding.config import BaseName, EmbedderConfig, KnowledgeConfig, SourceConfig, source_name


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
        ({"search": {"candidates": 1}}, "candidates"),
        ({"search": {"rerank": {}}}, "model"),
        ({"sources": [{"path": "a", "rows": {"text": [""]}}]}, "rows.text"),
        ({"chunk": {"characters": 300, "least": 200}}, "half of 'characters'"),
        ({"store": "sqlite:///x.db"}, "must be postgresql://"),
        ({"store": "postgresql://ann:secret@host"}, "must be postgresql://"),
        ({"store": "postgresql://host:x/name"}, "must be postgresql://"),
        ({"store": {"url": "postgresql://host/name", "vectors": "some"}}, "vectors"),
    ],
)
def test_what_is_wrong_is_told(row: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        KnowledgeConfig.model_validate(row)


def test_a_base_is_kept_where_its_address_says_and_its_password_is_shown_to_nobody() -> None:
    row = KnowledgeConfig.model_validate({"store": "postgresql://ann:s3cret@host/name"})
    assert row.store is not None
    assert row.store.url.get_secret_value() == "postgresql://ann:s3cret@host/name"
    assert row.store.vectors == "exact"
    assert "s3cret" not in repr(row) + row.model_dump_json()
    with pytest.raises(ValidationError) as refused:
        KnowledgeConfig.model_validate({"store": "mysql://ann:s3cret@host/name"})
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("name", ["", "a/b", "a:b", ".hidden", "a b", "x" * 65, "ä"])
def test_a_base_has_a_name_that_a_file_and_an_address_can_have(name: str) -> None:
    with pytest.raises(ValidationError, match="no name of a knowledge base"):
        TypeAdapter(BaseName).validate_python(name)
    assert TypeAdapter(BaseName).validate_python("Our-Base_2.de") == "Our-Base_2.de"
