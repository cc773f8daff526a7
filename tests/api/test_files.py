"""Files over the wire, with OpenAI's own SDK."""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from support.gateway import Gateway


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    config: dict[str, Any] = {"providers": {"echo": {"kind": "echo"}}, "models": {"echo": {"provider": "echo"}}}
    with Gateway(tmp_path_factory.mktemp("files"), config) as running:
        yield running


@pytest.fixture
def client(gateway: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0) as sdk:
        yield sdk


def test_a_file_is_kept_shown_and_deleted(gateway: Gateway, client: OpenAI) -> None:
    data = bytes(range(256)) * 5000
    made = client.files.create(file=("../some/name.bin", data), purpose="user_data")
    assert (made.object, made.bytes, made.filename, made.status) == ("file", len(data), "name.bin", "processed")
    assert client.files.retrieve(made.id) == made
    assert client.files.content(made.id).read() == data
    kept = gateway.var / "files" / made.id
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert client.files.delete(made.id).deleted
    assert not kept.exists()
    for use in (client.files.retrieve, client.files.content, client.files.delete):
        with pytest.raises(openai.NotFoundError):
            use(made.id)


def test_files_are_listed_page_by_page(client: OpenAI) -> None:
    made = [client.files.create(file=(f"{n}", b"x"), purpose="batch").id for n in range(5)]
    listed = [file.id for file in client.files.list(purpose="batch", limit=2)]
    assert listed == made[::-1]
    assert [file.id for file in client.files.list(purpose="batch", order="asc", limit=2)] == made
    assert list(client.files.list(purpose="evals")) == []


def test_a_file_may_be_kept_for_less(client: OpenAI) -> None:
    life: Any = {"anchor": "created_at", "seconds": 3600}
    made = client.files.create(file=("f", b"x"), purpose="batch", expires_after=life)
    assert made.expires_at == made.created_at + 3600
    life["seconds"] = 1
    with pytest.raises(openai.BadRequestError):
        client.files.create(file=("f", b"x"), purpose="batch", expires_after=life)


def test_what_is_wrong_with_an_upload_is_named(gateway: Gateway, client: OpenAI) -> None:
    wrong: Any = "nothing"
    with pytest.raises(openai.BadRequestError) as caught:
        client.files.create(file=("f", b"x"), purpose=wrong)
    assert caught.value.param == "purpose"
    url, headers = f"{gateway.url}/v1/files", {"authorization": f"Bearer {gateway.key}"}
    assert httpx.post(url, headers=headers, json={}).status_code == 415
    assert httpx.post(url, headers=headers, data={"purpose": "batch"}, files={"other": b""}).status_code == 400
    assert httpx.post(url, data={"purpose": "batch"}, files={"file": b"x"}).status_code == 401
    assert httpx.put(url, headers=headers).status_code == 405
    assert httpx.get(f"{url}/..%2f..%2fsecret.key/content", headers=headers).status_code == 404
    assert httpx.get(f"{url}/x/y/z", headers=headers).status_code == 404


def test_where_batches_are_off_neither_path_is_there(tmp_path: Path) -> None:
    config: dict[str, Any] = {
        "providers": {"echo": {"kind": "echo"}},
        "models": {"echo": {"provider": "echo"}},
        "batches": {"enabled": False},
    }
    with Gateway(tmp_path, config) as gateway:
        headers = {"authorization": f"Bearer {gateway.key}"}
        for path in ("/v1/files", "/v1/batches", "/v1/files/x", "/v1/batches/x/cancel"):
            assert httpx.get(gateway.url + path, headers=headers).json()["error"]["code"] == "not_found"
            assert httpx.post(gateway.url + path, headers=headers).status_code == 404


def test_a_file_that_expired_is_gone(gateway: Gateway, client: OpenAI) -> None:
    made = client.files.create(file=("f", b"x"), purpose="batch")
    with gateway.engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE files SET expires_at = 1 WHERE id = '{made.id}'")  # our own id
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(made.id)
