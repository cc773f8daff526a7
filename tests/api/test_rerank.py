"""Reranking: Cohere's SDK and Jina's form against a running gateway."""

import json
from collections.abc import Iterator
from typing import Any

import cohere
import httpx
import pytest

from support.gateway import Gateway
from support.tasks import KEY
from support.upstream import Upstream, json_reply

DOCUMENTS = ["rivers and lakes", "the open sea", "a river"]


@pytest.fixture
def ranker(task_gateway: Gateway, first: Upstream, second: Upstream) -> Iterator[cohere.ClientV2]:
    with httpx.Client() as http:
        yield cohere.ClientV2(api_key=task_gateway.key, base_url=task_gateway.url, httpx_client=http)


def post(gateway: Gateway, path: str = "/v1/rerank", **fields: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {gateway.key}"}
    return httpx.post(f"{gateway.url}{path}", json=fields, headers=headers, timeout=30)


def test_coheres_sdk_ranks_by_coheres_own_wire(ranker: cohere.ClientV2, first: Upstream, task_gateway: Gateway) -> None:
    body = {
        "id": "r1",
        "results": [{"index": 2, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.5}],
        "meta": {"billed_units": {"search_units": 1}},
    }
    first.script(json_reply(body))
    answer = ranker.rerank(model="cohere", query="river", documents=DOCUMENTS, top_n=2)
    assert [(result.index, result.relevance_score) for result in answer.results] == [(2, 0.9), (0, 0.5)]
    (request,) = first.requests
    assert request.path == "/v2/rerank"
    assert request.header("authorization") == f"Bearer {KEY}"
    assert request.json() == {"model": "embed-v4.0", "query": "river", "documents": DOCUMENTS, "top_n": 2}
    record = task_gateway.journal()[-1]
    assert (record.operation, record.dialect) == ("rerank", "cohere")


def test_documents_are_texts_for_cohere_and_come_back_where_they_are_wanted(
    first: Upstream, task_gateway: Gateway
) -> None:
    first.script(json_reply({"id": "r1", "results": [{"index": 1, "relevance_score": 1}], "kept": 1.0}))
    answer = post(
        task_gateway,
        model="cohere",
        query="q",
        documents=["a", {"text": "b"}],
        top_n=1,
        return_documents=True,
    )
    assert answer.json() == {
        "id": "r1",
        "results": [{"index": 1, "relevance_score": 1, "document": {"text": "b"}}],
        "kept": 1.0,
    }
    assert first.requests[0].json()["documents"] == ["a", "b"]
    assert "return_documents" not in first.requests[0].json()
    refused = post(task_gateway, model="cohere", query="q", documents=[{"image": "x"}])
    assert refused.status_code == 400
    assert refused.json()["param"] == "documents[0]"


def test_jinas_form_passes_with_its_bytes_at_every_path(first: Upstream, task_gateway: Gateway) -> None:
    body = {
        "model": "jina-reranker-v2",
        "object": "list",
        "usage": {"total_tokens": 12},
        "results": [{"index": 0, "relevance_score": 0.5, "document": {"text": "a"}}],
    }
    for path in ("/v1/rerank", "/v2/rerank", "/rerank"):
        first.script(json_reply(body))
        answer = post(task_gateway, path, model="jina", query="q", documents=[{"text": "a"}], return_documents=True)
        assert answer.json() == body
        assert first.requests[-1].path == "/v1/rerank"
        assert first.requests[-1].json()["return_documents"] is True
    usage = task_gateway.journal()[-1].usage
    assert usage is not None
    assert usage.input == 12


@pytest.mark.parametrize(
    "results",
    [
        [{"index": 3, "relevance_score": 1.0}],
        [{"index": 0, "relevance_score": 1.0}, {"index": 0, "relevance_score": 0.5}],
        [{"index": i, "relevance_score": 1.0} for i in range(3)],
        [],
        [{"index": 0}],
    ],
    ids=["of-no-document", "twice", "too-many", "none", "no-score"],
)
def test_a_ranking_of_other_documents_is_no_answer(
    ranker: cohere.ClientV2, first: Upstream, results: list[Any]
) -> None:
    first.script(json_reply({"results": results}))
    with pytest.raises(cohere.core.api_error.ApiError) as caught:
        ranker.rerank(model="assistant", query="q", documents=DOCUMENTS, top_n=2, request_options={"max_retries": 0})
    assert caught.value.status_code == 502
    assert caught.value.body["code"] == "upstream_broken"


def test_errors_have_the_words_where_both_clients_look(ranker: cohere.ClientV2, task_gateway: Gateway) -> None:
    with pytest.raises(cohere.NotFoundError) as caught:
        ranker.rerank(model="nobody", query="q", documents=["a"])
    assert "nobody" in caught.value.body["message"]
    refused = post(task_gateway, model="echo", query="q", documents=[])
    assert refused.status_code == 400
    assert refused.json()["detail"] == "'documents' is empty; send at least one."
    assert refused.json()["param"] == "documents"
    unknown = httpx.get(f"{task_gateway.url}/v1/rerank")
    assert unknown.status_code == 405
    assert "message" in unknown.json()


def test_the_echo_ranks_by_shared_words(ranker: cohere.ClientV2, task_gateway: Gateway) -> None:
    answer = ranker.rerank(model="echo", query="a river", documents=DOCUMENTS, top_n=2)
    assert [(result.index, result.relevance_score) for result in answer.results] == [(2, 1.0), (0, 0.0)]
    told = json.loads(post(task_gateway, model="echo", query="sea", documents=DOCUMENTS, return_documents=True).content)
    assert told["results"][0] == {"index": 1, "relevance_score": 1.0, "document": {"text": "the open sea"}}
