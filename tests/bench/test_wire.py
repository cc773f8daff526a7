import json

import pytest
from bench.wire import completion, post, question


@pytest.mark.parametrize("size", [1024, 50 * 1024, 1024 * 1024])
def test_a_question_grows_to_about_the_size_asked_for(size: int) -> None:
    body = question("m", size=size)
    assert size * 0.9 < len(body) < size * 1.1
    assert json.loads(body)["model"] == "m"


def test_a_small_question_stays_small() -> None:
    assert 150 < len(question("m")) < 300


def test_a_post_carries_its_length_its_headers_and_its_place() -> None:
    request = post("http://127.0.0.1:81/v1", b"{}", {"authorization": "Bearer k"}, 3)
    assert (request.host, request.port, request.events) == ("127.0.0.1", 81, 3)
    head, _, body = request.data.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
    assert b"content-length: 2" in head
    assert b"authorization: Bearer k" in head
    assert body == b"{}"


def test_a_base_url_without_a_port_is_refused() -> None:
    with pytest.raises(ValueError, match="port"):
        post("http://localhost/v1", b"{}", {})


def test_the_fixed_completion_needs_no_quoting_in_a_configuration_file() -> None:
    assert b"'" not in completion("m")
    assert b"$" not in completion("m")
