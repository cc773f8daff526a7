"""A vendor's differences in what it has besides conversations, and on the Responses wire: a user's row, end to end."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from support.gateway import Gateway
from support.responses_vendor import answer, message, part
from support.tasks import embeddings, text_completion
from support.upstream import Received, Reply, Upstream, json_reply
from support.wires import HELLO

#: Each task with its path and a request that says nothing odd.
TASKS: dict[str, tuple[str, dict[str, Any]]] = {
    "text_completion": ("/v1/completions", {"prompt": "Hi"}),
    "embeddings": ("/v1/embeddings", {"input": "Hi"}),
    "image_generation": ("/v1/images/generations", {"prompt": "A cat"}),
    "speech": ("/v1/audio/speech", {"input": "Hi", "voice": "alloy"}),
    "rerank": ("/v1/rerank", {"query": "q", "documents": ["a"]}),
    "moderation": ("/v1/moderations", {"input": "Hi"}),
}
FORMS = {"transcription": "/v1/audio/transcriptions", "image_edit": "/v1/images/edits"}
ANSWERS: dict[str, Reply] = {
    "/v1/completions": json_reply(text_completion("Hi.")),
    "/v1/embeddings": json_reply(embeddings([1.0, 2.0])),
    "/v1/images/generations": json_reply({"created": 1, "data": [{"b64_json": "QUJD"}]}),
    "/v1/images/edits": json_reply({"created": 1, "data": [{"b64_json": "QUJD"}]}),
    "/v1/audio/speech": Reply(200, (("content-type", "audio/mpeg"),), b"ID3-sound"),
    "/v1/audio/transcriptions": json_reply({"text": "Hi."}),
    "/v1/rerank": json_reply({"results": [{"index": 0, "relevance_score": 0.5}]}),
    "/v1/moderations": json_reply(
        {"id": "modr-1", "model": "m", "results": [{"flagged": False, "categories": {}, "category_scores": {}}]}
    ),
    "/v1/responses": json_reply(answer(message(part("Hi.")))),
}


@pytest.fixture(scope="module")
def acme() -> Iterator[Upstream]:
    def serve(request: Received) -> Reply:
        return ANSWERS[request.path]

    with Upstream(serve) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, acme: Upstream) -> Iterator[Gateway]:
    differs = {"rejects": ["user", "odd.deep=x"], "renames": {"ours": "theirs"}, "drops_null": True}
    row = {
        "base_url": f"{acme.url}/v1",
        "key": "optional",
        # Of conversations only: a task says for itself.
        "rejects": ["novel"],
        "errors": {"E42": "quota", "E43": "filter"},
        "error_code": "base.code",
        "offers": [*TASKS, *FORMS],
        "tasks": dict.fromkeys([*TASKS, *FORMS], differs),
    }
    plain = {"base_url": f"{acme.url}/v1", "key": "optional", "offers": ["embeddings"], "rejects": ["user"]}
    responses = {
        "base_url": f"{acme.url}/v1",
        "key": "optional",
        "wire": "responses",
        "rejects": ["background", "reasoning.effort", "input[].status", "max_output_tokens"],
        "renames": {"safety_identifier": "end_user"},
        "errors": {"E42": "quota"},
    }
    names = ["acme", "plain", "responder"]
    config = {
        "vendors": {"acme": row, "plain": plain, "responder": responses},
        "providers": {name: {"kind": name} for name in names},
        "models": {name: {"provider": name, "name": f"up-{name}"} for name in names},
        "routes": {name: {"targets": [name], "attempts": 1} for name in names},
    }
    with Gateway(tmp_path_factory.mktemp("vendor"), config) as running:
        yield running


@pytest.fixture
def client(gateway: Gateway, acme: Upstream) -> Iterator[httpx.Client]:
    acme.forget()
    headers = {"authorization": f"Bearer {gateway.key}"}
    with httpx.Client(base_url=gateway.url, headers=headers, timeout=60) as found:
        yield found


def fault(answer: httpx.Response) -> dict[str, Any]:
    """Return the error of an answer; rerank's callers have it without an envelope."""
    body = answer.json()
    return dict(body.get("error", body))


@pytest.mark.parametrize("task", TASKS)
def test_a_task_says_for_itself_what_is_refused_renamed_and_left_out(
    client: httpx.Client, acme: Upstream, task: str
) -> None:
    path, body = TASKS[task]
    body = {"model": "acme", **body}
    sent = client.post(path, json={**body, "ours": 7, "empty": None, "novel": 1.0, "odd": {"deep": "y"}})
    assert sent.status_code == 200, sent.text
    assert acme.requests[-1].json() == {**body, "model": "up-acme", "theirs": 7, "novel": 1.0, "odd": {"deep": "y"}}
    count = len(acme.requests)
    for field, param in ({"user": "u"}, "user"), ({"odd": {"deep": "x"}}, "odd.deep"):
        refused = client.post(path, json={**body, **field})
        assert (refused.status_code, fault(refused)["param"]) == (400, param)
        assert fault(refused)["code"] == "unsupported_by_model"
    twice = client.post(path, json={**body, "ours": 7, "theirs": 8})
    assert (twice.status_code, fault(twice)["param"]) == (400, "ours")
    assert len(acme.requests) == count


@pytest.mark.parametrize("task", FORMS)
def test_so_does_one_whose_requests_are_forms(client: httpx.Client, acme: Upstream, task: str) -> None:
    file = {"file" if task == "transcription" else "image": ("a; name=user.bin", b"\r\n--x\r\nbytes\0", "x/y")}
    fields = {"model": "acme", "prompt": "Hi", "novel": "1"}
    sent = client.post(FORMS[task], data={**fields, "ours": ["a", "b"]}, files=file)
    assert sent.status_code == 200, sent.text
    body = acme.requests[-1].body
    assert body.count(b'name="theirs"\r\n') == 2
    assert b'"ours"' not in body
    assert b'name="model"\r\n\r\nup-acme\r\n' in body
    assert b"\r\n--x\r\nbytes\0" in body
    assert b"name=user.bin" in body
    count = len(acme.requests)
    refused = client.post(FORMS[task], data={**fields, "user": "u"}, files=file)
    assert (refused.status_code, fault(refused)["param"]) == (400, "user")
    twice = client.post(FORMS[task], data={**fields, "ours": "a", "theirs": "b"}, files=file)
    assert (twice.status_code, fault(twice)["param"]) == (400, "ours")
    assert len(acme.requests) == count


@pytest.mark.parametrize("task", [*TASKS, *FORMS])
@pytest.mark.parametrize(("code", "status", "name"), [("E42", 502, "upstream_quota"), ("E43", 400, "content_filter")])
def test_a_vendors_codes_of_errors_mean_the_same_everywhere(
    client: httpx.Client, acme: Upstream, task: str, code: str, status: int, name: str
) -> None:
    for reply in (json_reply({"code": code, "message": "no"}, 400), json_reply({"base": {"code": code, "msg": "no"}})):
        acme.script(reply)
        if task in FORMS:
            file = {"file" if task == "transcription" else "image": ("a.bin", b"x", "x/y")}
            found = client.post(FORMS[task], data={"model": "acme", "prompt": "Hi"}, files=file)
        else:
            path, body = TASKS[task]
            found = client.post(path, json={"model": "acme", **body})
        assert (found.status_code, fault(found)["code"]) == (status, name)


def test_what_is_refused_in_conversations_is_no_tasks_concern(client: httpx.Client, acme: Upstream) -> None:
    assert client.post("/v1/embeddings", json={"model": "plain", "input": "Hi", "user": "u"}).status_code == 200
    assert acme.requests[-1].json() == {"model": "up-plain", "input": "Hi", "user": "u"}
    refused = client.post("/v1/chat/completions", json={"model": "plain", "messages": HELLO, "user": "u"})
    assert (refused.status_code, fault(refused)["param"]) == (400, "user")


ASKED: list[tuple[str, dict[str, Any], str]] = [
    ("/v1/responses", {"input": "Hi", "background": False}, "background"),
    ("/v1/responses", {"input": "Hi", "reasoning": {"effort": "low"}}, "reasoning.effort"),
    ("/v1/responses", {"input": "Hi", "max_output_tokens": 5}, "max_output_tokens"),
    ("/v1/chat/completions", {"messages": HELLO, "reasoning_effort": "low"}, "reasoning_effort"),
    ("/v1/chat/completions", {"messages": HELLO, "max_completion_tokens": 5}, "max_completion_tokens"),
    ("/v1/messages", {"messages": HELLO, "max_tokens": 5}, "max_tokens"),
]


@pytest.mark.parametrize(("path", "body", "param"), ASKED)
def test_the_responses_wire_refuses_in_the_callers_own_words(
    client: httpx.Client, acme: Upstream, path: str, body: dict[str, Any], param: str
) -> None:
    refused = client.post(path, json={"model": "responder", **body})
    assert refused.status_code == 400
    assert f"'{param}'" in fault(refused)["message"]
    assert acme.requests == []


def test_the_responses_wire_renames_and_knows_the_vendors_codes(client: httpx.Client, acme: Upstream) -> None:
    body = {"model": "responder", "input": "Hi", "safety_identifier": "u", "novel": 1.0}
    assert client.post("/v1/responses", json=body).status_code == 200
    sent = acme.requests[-1].json()
    assert (sent["end_user"], "safety_identifier" in sent, sent["novel"]) == ("u", False, 1.0)
    acme.script(json_reply({"error": {"code": "E42", "message": "no"}}, 400))
    found = client.post("/v1/responses", json={"model": "responder", "input": "Hi"})
    assert (found.status_code, fault(found)["code"]) == (502, "upstream_quota")
