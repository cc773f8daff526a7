"""``mainstay chat``: talk to a running gateway from the terminal, token by token. A caller like any other."""

import contextlib
import http.client
import json
import os
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from mainstay.cli.options import DEFAULT, ConfigOption, find_config
from mainstay.config import config_home, load_config
from mainstay.core.errors import ConfigError, StartError
from mainstay.runtime.state import is_running, read_state

__all__ = ["chat"]

_TIMEOUT = 600.0


def chat(
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="A route or model; the first one when not given.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(envvar="MAINSTAY_URL", help="The gateway; where ./mainstay.yaml says when not given.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(envvar="MAINSTAY_API_KEY", help="The key; the one of var/first-key when not given.")
    ] = None,
    system: Annotated[str | None, typer.Option("--system", "-s", help="What the model is told first.")] = None,
    config: ConfigOption = None,
) -> None:
    """Talk to a model, token by token.

    Ctrl-C stops an answer, a second one (or Ctrl-D) leaves. With standard input from a file or a pipe, all of it is
    one message and the answer goes to standard output.

    \b
    Examples:
      mainstay chat
      mainstay chat --model small --system "Answer in one sentence."
      echo "Tell me a story." | mainstay chat --model assistant
    """
    try:
        path = find_config(config)
    except ConfigError:
        path = None  # a caller needs none: the gateway may be anywhere
    client = _Client(url or _default_url(path), key or _kept_key(path))
    name = model or client.first_model()
    messages = [{"role": "system", "content": system}] if system else []
    if not sys.stdin.isatty():
        said = sys.stdin.read().strip()
        if not said:
            raise typer.BadParameter("standard input is empty; pipe a message in", param_hint="stdin")
        messages.append({"role": "user", "content": said})
        for piece in client.ask(name, messages):
            sys.stdout.write(piece)
            sys.stdout.flush()
        sys.stdout.write("\n")
        return
    _converse(client, name, messages)


def _converse(client: "_Client", model: str, messages: list[dict[str, str]]) -> None:
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 - loading it gives input() its line editing
    typer.echo(f"Talking to {model}. Ctrl-C stops an answer, Ctrl-D leaves.", err=True)
    while True:
        try:
            said = input("> ").strip()
        except (EOFError, KeyboardInterrupt):
            typer.echo("", err=True)
            return
        if not said:
            continue
        asked = [*messages, {"role": "user", "content": said}]
        answer = ""
        pieces = client.ask(model, asked)
        try:
            for piece in pieces:
                answer += piece
                sys.stdout.write(piece)
                sys.stdout.flush()
        except KeyboardInterrupt:
            # Closing the connection is what stops the model.
            pieces.close()
            typer.echo(" [stopped]", err=True)
        except StartError as error:
            typer.echo(error.message, err=True)
            continue
        else:
            sys.stdout.write("\n")
        messages = [*asked, {"role": "assistant", "content": answer}] if answer else messages


class _Client:
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
                    if piece := choice.get("delta", {}).get("content"):
                        yield piece
            # The standard library ends a body that was cut as if it were whole.
            raise StartError("The answer broke off; look at the gateway's log.")

    @contextlib.contextmanager
    def _send(self, method: str, path: str, body: dict[str, Any] | None) -> Iterator[http.client.HTTPResponse]:
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=_TIMEOUT)
        try:
            connection.request(method, self._path + path, json.dumps(body) if body else None, self._headers)
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


def _default_url(path: Path | None) -> str:
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


def _kept_key(path: Path | None) -> str:
    with contextlib.suppress(OSError):
        return (config_home(path or DEFAULT, os.environ) / "first-key").read_text().strip()
    return ""
