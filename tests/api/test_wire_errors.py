"""What errors say in every dialect, and what they never say; and the headers that go with them, over real sockets."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from support.telltale import HARMLESS, KEY, STATUSES, TROUBLES, Telltale, telltales
from support.upstream import json_reply
from support.vendors import VENDORS

HELLO: list[Any] = [{"role": "user", "content": "Hello?"}]
#: By name: the path, and the body beside ``model``.
TALKS: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("/v1/chat/completions", {"messages": HELLO}),
    "messages": ("/v1/messages", {"messages": HELLO, "max_tokens": 9}),
    "responses": ("/v1/responses", {"input": "Hello?"}),
    "completions": ("/v1/completions", {"prompt": "Hello"}),
}
TASKS: dict[str, tuple[str, dict[str, Any]]] = {
    "embeddings": ("/v1/embeddings", {"input": "x"}),
    "moderations": ("/v1/moderations", {"input": "x"}),
    "images": ("/v1/images/generations", {"prompt": "x"}),
    "speech": ("/v1/audio/speech", {"input": "x", "voice": "alloy"}),
    "rerank": ("/v1/rerank", {"query": "x", "documents": ["a", "b"]}),
}


@pytest.fixture(scope="module")
def telltale(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Telltale]:
    with telltales(tmp_path_factory.mktemp("telltale")) as running:
        yield running


@pytest.fixture(scope="module")
def http(telltale: Telltale) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {telltale.gateway.key}"}
    with httpx.Client(base_url=telltale.gateway.url, headers=headers, timeout=60) as client:
        yield client


def hold(telltale: Telltale, answer: httpx.Response, about: str) -> str:
    """See that an answer tells nothing, and return its body."""
    said = answer.text + "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
    # What JSON escapes would hide it from this test and from nobody else.
    said += answer.text.encode().decode("unicode_escape", "replace").replace("\\/", "/")
    for word in telltale.forbidden:
        assert word not in said, f"{about}: {word!r} in {said}"
    return answer.text


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("talk", TALKS)
def test_no_error_of_an_upstream_tells_what_only_the_operator_knows(
    telltale: Telltale, http: httpx.Client, talk: str, stream: bool, vendor: str
) -> None:
    path, body = TALKS[talk]
    kept = 0
    for trouble in TROUBLES:
        model = f"{vendor}-{trouble}"
        answer = http.post(path, json={"model": model, **body, "stream": stream})
        text = hold(telltale, answer, model)
        broke = answer.status_code == 200 and stream and trouble == "middle"
        assert answer.status_code >= 400 or broke, (model, text)
        assert "error" in text
        kept += HARMLESS in text
    # Else the test would pass if nothing at all were passed on.
    assert kept


def post_task(http: httpx.Client, task: str, model: str) -> httpx.Response:
    path, body = TASKS[task]
    return http.post(path, json={"model": model, **body})


@pytest.mark.parametrize("task", TASKS)
def test_no_error_of_a_task_tells_it_either(telltale: Telltale, http: httpx.Client, task: str) -> None:
    vendors = {"embeddings": ("openai", "gemini", "cohere"), "rerank": ("cohere",)}.get(task, ("openai",))
    for vendor in vendors:
        for trouble in TROUBLES:
            answer = post_task(http, task, f"{vendor}-{trouble}")
            hold(telltale, answer, f"{task} {vendor}-{trouble}")
            assert answer.status_code >= 400, trouble


def test_no_error_of_a_form_tells_it_either(telltale: Telltale, http: httpx.Client) -> None:
    for trouble in TROUBLES:
        files = {"file": ("a.wav", b"RIFF", "audio/wav")}
        answer = http.post("/v1/audio/transcriptions", data={"model": f"openai-{trouble}"}, files=files)
        hold(telltale, answer, trouble)
        assert answer.status_code >= 400, trouble


def test_no_result_of_a_tool_tells_it_either(telltale: Telltale, http: httpx.Client) -> None:
    for trouble in TROUBLES:
        call = {"name": "ask_model", "arguments": {"model": f"openai-{trouble}", "prompt": "Hello?"}}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
        answer = http.post("/mcp", json=body, headers={"accept": "application/json, text/event-stream"})
        hold(telltale, answer, trouble)


def test_the_log_and_the_records_have_no_credential(telltale: Telltale, http: httpx.Client) -> None:
    http.post("/v1/chat/completions", json={"model": "openai-s400", "messages": HELLO})
    assert KEY not in telltale.gateway.log()
    journals = (telltale.gateway.var / "journal").glob("*.jsonl")
    assert not any(KEY.encode() in path.read_bytes() for path in journals)


def test_upstreams_are_asked_and_do_tell(telltale: Telltale, http: httpx.Client) -> None:
    """Were they silent, the tests above would show nothing."""
    telltale.upstream.forget()
    http.post("/v1/chat/completions", json={"model": "openai-s422", "messages": HELLO})
    (request,) = telltale.upstream.requests
    assert request.header("authorization") == f"Bearer {KEY}"
    assert json.loads(request.body)["model"] in telltale.forbidden


#: What the caller sees of each status of an upstream, in OpenAI's dialects: the status and the code.
SHOWN = {
    400: (400, ""),
    401: (502, "upstream_credential"),
    402: (502, "upstream_quota"),
    403: (502, "upstream_credential"),
    404: (502, "upstream_not_found"),
    408: (504, "upstream_request_timeout"),
    409: (502, "upstream_conflict"),
    413: (413, ""),
    415: (415, ""),
    422: (422, ""),
    429: (429, "upstream_rate_limited"),
    499: (504, "upstream_request_timeout"),
    500: (502, "upstream_failed"),
    502: (502, "upstream_failed"),
    503: (503, "upstream_failed"),
    504: (504, "upstream_failed"),
    529: (503, "upstream_failed"),
}
#: What Anthropic's dialect calls them.
TYPES = {400: "invalid_request_error", 413: "request_too_large", 429: "rate_limit_error", 502: "api_error"}
TYPES |= {415: "invalid_request_error", 422: "invalid_request_error", 504: "timeout_error", 529: "overloaded_error"}


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("talk", TALKS)
def test_each_status_of_an_upstream_means_one_thing_whatever_its_wire_and_the_callers(
    http: httpx.Client, talk: str, vendor: str
) -> None:
    path, body = TALKS[talk]
    assert set(SHOWN) == set(STATUSES)
    for status, (shown, code) in SHOWN.items():
        answer = http.post(path, json={"model": f"{vendor}-s{status}", **body})
        error = answer.json()["error"]
        if talk == "messages":
            shown = 529 if shown == 503 else shown
            assert error["type"] == TYPES[shown], status
            assert answer.json()["request_id"] == answer.headers["request-id"]
        else:
            assert {"message", "type", "param", "code"} <= set(error)
        assert answer.status_code == shown, (status, error)
        assert code in ("", error["code"]), (status, error)
        assert ("retry-after" in answer.headers) == (shown in (429, 503, 529)), status
        # A 429 may be asked again, after its wait; Mainstay has done for all others what made sense.
        assert answer.headers.get("x-should-retry") == (None if shown == 429 else "false"), status


def test_what_the_caller_did_wrong_is_told_in_the_dialect_of_every_path(telltale: Telltale, http: httpx.Client) -> None:
    wrong: list[tuple[str, dict[str, Any], tuple[int, ...]]] = [
        ("bad JSON", {"content": b'{"model": ', "headers": {"content-type": "application/json"}}, (400,)),
        ("no body", {"content": b"", "headers": {"content-type": "application/json"}}, (400,)),
        ("no object", {"json": [1]}, (400,)),
        ("another type", {"content": b"model=x", "headers": {"content-type": "text/plain"}}, (415,)),
        ("no such key", {"json": {"model": "x"}, "headers": {"authorization": "Bearer ms-wrong"}}, (401,)),
        ("compressed", {"json": {"model": "x"}, "headers": {"content-encoding": "gzip"}}, (415,)),
    ]
    for name, (path, body) in {**TALKS, **TASKS}.items():
        cases = [*wrong, ("no such model", {"json": {"model": "nobody", **body}}, (404,))]
        for about, request, statuses in cases:
            answer = http.post(path, **request)
            assert answer.status_code in statuses, (name, about, answer.text)
            check_envelope(name, answer)
            if about == "no such model":
                assert code_of(answer) == "model_not_found"
        for method in ("GET", "PUT", "DELETE", "PATCH"):
            answer = http.request(method, path)
            # What was answered before is looked up below this path, not at it.
            assert answer.status_code == 405, (name, method)
            assert answer.headers["allow"] == "POST"
            check_envelope(name, answer)
        answer = http.post(f"{path}/none/such/path", json={})
        assert answer.status_code in (404, 405), (name, answer.text)
        check_envelope("messages" if name == "messages" else "other", answer)


def check_envelope(name: str, answer: httpx.Response) -> None:
    """See that an error has the form of its path's dialect, and an id to ask the operator about."""
    body = answer.json()
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]
    if name == "messages":
        assert (body["type"], body["request_id"]) == ("error", answer.headers["request-id"])
        assert body["error"]["type"]
        assert body["error"]["message"]
    elif name == "rerank":
        assert body["message"]
        assert body["detail"] == body["message"]
    else:
        error = body["error"]
        assert list(error)[-4:] == ["message", "type", "param", "code"]
        # Null is null, and no text.
        assert error["message"]
        assert "None" not in (error["param"], error["code"])


def code_of(answer: httpx.Response) -> str:
    body = answer.json()
    return str(body.get("error", body)["code"])


def test_a_form_that_is_none_is_told_of_in_the_dialect(http: httpx.Client) -> None:
    for path in ("/v1/audio/transcriptions", "/v1/audio/translations", "/v1/images/edits"):
        answer = http.post(path, content=b"--x\r\n", headers={"content-type": "multipart/form-data; boundary=x"})
        assert answer.status_code == 400, answer.text
        check_envelope("form", answer)
        answer = http.post(path, content=b"{}", headers={"content-type": "text/plain"})
        assert answer.status_code == 415, answer.text
        check_envelope("form", answer)


@pytest.mark.parametrize("name", ["gpt", "claude"])
@pytest.mark.parametrize("talk", TALKS)
def test_too_long_a_prompt_and_a_filter_have_their_codes_in_every_dialect(
    telltale: Telltale, http: httpx.Client, talk: str, name: str
) -> None:
    path, body = TALKS[talk]
    long = {"type": "invalid_request_error", "message": "prompt is too long: 9 tokens > 8 maximum"}
    blocked = {"type": "invalid_request_error", "message": "Output blocked by content filtering policy"}
    results = {"violence": {"filtered": True, "severity": "high"}}
    if name == "gpt":
        long |= {"code": "context_length_exceeded", "param": "messages"}
        blocked |= {"code": "content_filter", "innererror": {"content_filter_results": results}}
    else:
        blocked["message"] = "blocked by our content filter"
    for said, code in ((long, "context_length_exceeded"), (blocked, "content_filter")):
        telltale.upstream.script(json_reply({"type": "error", "error": said}, 400))
        answer = http.post(path, json={"model": f"only-{name}-0", **body})
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (400, code)
        if code == "content_filter" and name == "gpt":
            assert error["content_filter_results"] == results
