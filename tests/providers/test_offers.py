"""What a provider's row comes to."""

from typing import Any

import pytest
from pydantic import ValidationError

from mainstay.core.ports import Origin
from mainstay.core.target import TALKS, Operation, Target
from mainstay.providers.config import AnthropicConfig, EchoConfig, GuardsConfig, ModelConfig, OpenAIConfig, VendorConfig
from mainstay.providers.http import Endpoint
from mainstay.providers.offers import able, by_operation, endpoint_of, others_of
from mainstay.providers.tasks.echo import ECHOED
from mainstay.providers.vendors import VendorRow

ENGINE = Endpoint(Origin("localhost", 0), b"/v1", ())
ROW = {"base_url": "https://{place}.example/v1", "parameters": {"place": "eu"}}


def offered(row: object, vendor: VendorRow | None = None, engine: Any = None) -> set[Operation]:
    reached: Any = lambda *_: None  # noqa: E731  # a transport that nobody uses
    judge: Any = lambda _: None  # noqa: E731  # and what would judge
    return {operation for operation, _ in others_of(row, vendor, engine, reached, judge)}


def test_each_kind_of_provider_has_what_it_has() -> None:
    assert offered(OpenAIConfig()) == set(Operation) - {Operation.CHAT, Operation.COUNT}
    assert offered(AnthropicConfig()) == {Operation.COUNT}
    assert offered(EchoConfig()) == ECHOED
    assert offered(GuardsConfig()) == {Operation.MODERATION}
    assert offered(None, engine=(ENGINE, TALKS | {Operation.EMBEDDING})) == {Operation.COMPLETION, Operation.EMBEDDING}


def test_a_vendor_has_what_its_row_offers() -> None:
    row = VendorRow.model_validate({**ROW, "offers": ["rerank"], "paths": {"embeddings": "/x/{place}/{model}"}})
    assert offered(VendorConfig(kind="acme"), row) == {Operation.RERANK, Operation.EMBEDDING}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"offers": ["chat"]}, "offers 'chat'"),
        ({"wire": "cohere", "offers": ["speech"]}, "offers 'speech'"),
        ({"wire": "anthropic", "paths": {"embeddings": "/x"}}, "offers 'embeddings'"),
        ({"paths": {"embeddings": "/{nowhere}"}}, "nowhere"),
        ({"wire": "cohere", "base64": False}, "base64"),
    ],
)
def test_a_row_that_offers_what_nobody_can_speak_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        VendorRow.model_validate({**ROW, **fields})


def test_a_model_can_be_asked_what_its_provider_has_and_it_is_for() -> None:
    target = Target("m", "p", "openai", "m")
    others: Any = {Operation.EMBEDDING: {"p": None}, Operation.RERANK: {"other": None}}
    plain, narrow = ModelConfig(provider="p"), ModelConfig(provider="p", operations=frozenset({Operation.EMBEDDING}))
    assert able(target, plain, others, talks=True).operations == TALKS | {Operation.EMBEDDING}
    assert able(target, narrow, others, talks=True).operations == {Operation.EMBEDDING}
    assert able(target, plain, others, talks=False).operations == {Operation.EMBEDDING}


def test_providers_are_found_by_operation_and_name() -> None:
    one: Any = object()
    assert by_operation([("a", [(Operation.RERANK, one)]), ("b", [(Operation.RERANK, one)])]) == {
        Operation.RERANK: {"a": one, "b": one}
    }


def test_a_rows_own_headers_win_and_versions_give_way() -> None:
    row = OpenAIConfig.model_validate({"headers": {"authorization": "Other"}, "base_url": "http://h:81/v1/"})
    endpoint = endpoint_of(row, row.base_url, ((b"authorization", b"Bearer k"), (b"x-version", b"1")))
    assert (endpoint.origin.host, endpoint.origin.port, endpoint.prefix) == ("h", 81, b"/v1")
    assert dict(endpoint.headers)[b"authorization"] == b"Other"
    assert endpoint.defaults == ((b"x-version", b"1"),)
