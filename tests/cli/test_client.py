"""The caller behind commands: where it looks for a gateway, and what it says when there is none."""

from pathlib import Path

import pytest
import typer

from mainstay.cli.client import Client, default_url, kept_key
from mainstay.core.errors import StartError
from support.upstream import Reply, Upstream, json_reply


def test_without_a_configuration_the_usual_address_is_asked() -> None:
    assert default_url(None) == "http://127.0.0.1:8080"


def test_the_configuration_says_where_the_gateway_would_listen(tmp_path: Path) -> None:
    path = tmp_path / "mainstay.yaml"
    path.write_text("server: {host: 127.0.0.1, port: 9123}\n")
    assert default_url(path) == "http://127.0.0.1:9123"
    assert kept_key(path) == ""


def test_an_answer_comes_with_its_headers() -> None:
    with Upstream() as upstream:
        upstream.script(json_reply({"a": 1}, X_Kept="yes"))
        body, headers = Client(upstream.url, "ms-k").post("/v1/x", {"b": 2})
    assert body == {"a": 1}
    assert headers["x-kept"] == "yes"


def test_a_refusal_is_said_in_the_gateways_words() -> None:
    with Upstream() as upstream:
        upstream.script(json_reply({"error": {"message": "No such key."}}, 401), Reply(500, body=b"<html>"))
        client = Client(upstream.url, "")
        with pytest.raises(StartError, match="No such key"):
            client.post("/v1/x", {"b": 2})
        with pytest.raises(StartError, match="status 500"):
            client.post("/v1/x", {"b": 2})


@pytest.mark.parametrize("url", ["ftp://x", "http://", "http://x:nope"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(typer.BadParameter):
        Client(url, "")
