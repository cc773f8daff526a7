"""``mainstay chat``: talk to a running gateway from the terminal, token by token. A caller like any other."""

import contextlib
import sys
from typing import Annotated

import typer

from mainstay.cli.client import Client, default_url, kept_key
from mainstay.cli.options import ConfigOption, find_config
from mainstay.core.errors import ConfigError, StartError

__all__ = ["chat"]

#: How an answer ended, where that is not the model's own end.
_ENDS = {
    "length": "cut at the limit on its length",
    "content_filter": "cut by the provider's content filter",
}


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
    client = Client(url or default_url(path), key or kept_key(path))
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
        _say_end(client)
        return
    _converse(client, name, messages)


def _converse(client: Client, model: str, messages: list[dict[str, str]]) -> None:
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
            _say_end(client)
        messages = [*asked, {"role": "assistant", "content": answer}] if answer else messages


def _say_end(client: Client) -> None:
    """Say on standard error that an answer is not all there is, so that nobody takes it for whole."""
    if client.end in _ENDS:
        typer.echo(f"[The answer was {_ENDS[client.end]}.]", err=True)
