"""A caller of a running gateway, for the commands that are one: over the standard library's HTTP, with any key.

Knows where the gateway of a configuration listens and which key ``mainstay up`` kept; knows no command.
"""

import contextlib
import http.client
import json
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import typer

from mainstay.cli.options import DEFAULT
from mainstay.config import config_home, load_config
from mainstay.core.errors import StartError
from mainstay.runtime.state import is_running, read_state

__all__ = ["Client", "default_url", "kept_key"]

_TIMEOUT = 600.0


class Client:
    """A caller of one gateway, over the standard library's HTTP."""

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise typer.BadParameter("must be an address like http://127.0.0.1:8080", param_hint="--url")
        self._url = f"{parts.scheme}://{parts.netloc}"
        self._secure = parts.scheme == "https"
        try:
            self._host, self._port = parts.hostname, parts.port
        except ValueError:
            raise typer.BadParameter("has a port that is none", param_hint="--url") from None
        self._path = parts.path.rstrip("/").removesuffix("/v1")
        #: The last answer's finish reason.
        self.end = ""
        self._headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {key}"} if key else {})

    def first_model(self) -> str:
        """Return the first model this key may call."""
        with self._send("GET", "/v1/models", None) as response:
            found = json.loads(response.read()).get("data") or []
        if not found:
            raise StartError("This key may call no model; add one to the configuration, or use another key.")
        return str(found[0]["id"])

    def ask(self, model: str, messages: list[dict[str, str]]) -> Generator[str, None, None]:
        """Yield the answer piece by piece, as it comes; closing the generator closes the connection.

        Raises:
            StartError: the gateway cannot be reached or refuses, or the answer broke off.
        """
        self.end = ""
        body = {"model": model, "messages": messages, "stream": True}
        with self._send("POST", "/v1/chat/completions", body) as response:
            for line in iter(response.readline, b""):
                if not line.startswith(b"data:"):
                    continue
                if line[5:].strip() == b"[DONE]":
                    return
                event = json.loads(line[5:])
                if event.get("error"):
                    raise StartError(f"The answer broke off: {_said(event)}")
                for choice in event.get("choices") or ():
                    delta = choice.get("delta") or {}
                    if piece := delta.get("content") or delta.get("refusal"):
                        yield piece
                    self.end = choice.get("finish_reason") or self.end
            # The standard library ends a body that was cut as if it were whole.
            raise StartError("The answer broke off; look at the gateway's log.")

    def post(self, path: str, body: dict[str, Any]) -> tuple[Any, dict[str, str]]:
        """Return the JSON answer to a request, and its headers, by names in lower case.

        Raises:
            StartError: the gateway cannot be reached or refuses, or the answer is none.
        """
        with self._send("POST", path, body) as response:
            return json.loads(response.read()), {name.lower(): value for name, value in response.getheaders()}

    def fetch(self, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> bytes:
        """Return the bytes that answer a request whose body is ``body``, of the content type ``kind``.

        Raises:
            StartError: the gateway cannot be reached or refuses.
        """
        with self._send(method, path, body, kind) as response:
            return response.read()

    @contextlib.contextmanager
    def _send(
        self, method: str, path: str, body: dict[str, Any] | bytes | None, content_type: str = "application/json"
    ) -> Iterator[http.client.HTTPResponse]:
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=_TIMEOUT)
        try:
            data = json.dumps(body) if isinstance(body, dict) else body
            headers = self._headers | {"content-type": content_type}
            connection.request(method, self._path + path, data or None, headers)
            response = connection.getresponse()
            if response.status != 200:
                raise StartError(_refusal(response))
            yield response
        except (ConnectionRefusedError, FileNotFoundError):
            raise StartError(f"Nothing answers at {self._url}; start it with: mainstay up") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise StartError(f"The connection to {self._url} failed ({error}); look at the gateway's log.") from None
        finally:
            connection.close()


def _refusal(response: http.client.HTTPResponse) -> str:
    try:
        said = _said(json.loads(response.read()))
    except ValueError:
        said = ""
    if response.status == 401:
        return f"{said or 'The key is refused.'} Give one with --key or MAINSTAY_API_KEY."
    return said or f"The gateway answered with status {response.status}."


def _said(body: Any) -> str:
    error = body.get("error") if isinstance(body, dict) else None
    return str(error.get("message", "")) if isinstance(error, dict) else ""


def default_url(path: Path | None) -> str:
    """Return where the configuration's gateway listens, or said it would; the usual address without a configuration."""
    if path is None:
        return "http://127.0.0.1:8080"
    run = config_home(path, os.environ) / "run"
    running = read_state(run) if is_running(run) else None
    if running and running.get("url"):
        return str(running["url"])
    server = load_config(path, os.environ).config.server
    if server.port == 0:
        raise StartError("Nothing runs here; start it with: mainstay up")
    return f"http://{server.host}:{server.port}"


def kept_key(path: Path | None) -> str:
    """Return the key that ``mainstay up`` kept beside the configuration, "" when there is none."""
    with contextlib.suppress(OSError):
        return (config_home(path or DEFAULT, os.environ) / "first-key").read_text().strip()
    return ""
