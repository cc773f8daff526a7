"""``mainstay batches``: have a file of requests worked through by a running gateway."""

import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from mainstay.cli.client import Client, default_url, kept_key
from mainstay.cli.options import ConfigOption, find_config
from mainstay.core.errors import StartError

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
_ENDED = ("completed", "failed", "expired", "cancelled")
#: Seconds between two looks.
_LOOK = 0.5
_BOUNDARY = "mainstay-batch-8d1f0c6b5e7a4f29"
_SHOWN = 20


@app.callback()
def _verbs() -> None:
    """Have a file of requests worked through.

    \b
    Examples:
      mainstay batches run requests.jsonl
    """


@app.command(name="run")
def _run(
    requests: Annotated[Path, typer.Argument(metavar="REQUESTS", help="Requests, one JSON object a line.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where answers go; REQUESTS.out when not given.")
    ] = None,
    window: Annotated[str, typer.Option(help="How long it may take: 90m, 24h, 3d.")] = "24h",
    url: Annotated[
        str | None, typer.Option(envvar="MAINSTAY_URL", help="The gateway; where ./mainstay.yaml says when not given.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(envvar="MAINSTAY_API_KEY", help="The key; the one of var/first-key when not given.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Send a file of requests and fetch the answers.

    Rows that failed are written to OUTPUT.errors. Ctrl-C stops the waiting, not the batch. Exit code 0 when every row
    was answered, 1 when one was not.

    \b
    Examples:
      mainstay batches run requests.jsonl
      mainstay batches run requests.jsonl --output answers.jsonl --window 3d
    """
    path = None if url else find_config(config)
    client = Client(url or default_url(path), key or kept_key(path))
    try:
        data = requests.read_bytes()
    except OSError as error:
        raise StartError(f"Cannot read '{requests}' ({error.strerror}).") from None
    sent = client.fetch("POST", "/v1/files", _form(requests.name, data), f"multipart/form-data; boundary={_BOUNDARY}")
    made = {"input_file_id": json.loads(sent)["id"], "endpoint": _endpoint(data), "completion_window": window}
    batch, _ = client.post("/v1/batches", made)
    typer.echo(f"{batch['id']} has begun.", err=True)
    batch = _wait(client, batch)
    answers = output or requests.with_name(f"{requests.name}.out")
    for name, place in (("output_file_id", answers), ("error_file_id", answers.with_name(f"{answers.name}.errors"))):
        if batch[name]:
            place.write_bytes(client.fetch("GET", f"/v1/files/{batch[name]}/content"))
            typer.echo(str(place))
    for flaw in ((batch["errors"] or {}).get("data") or ())[:_SHOWN]:
        typer.echo(f"line {flaw['line'] or '-'}: {flaw['message']}", err=True)
    counts = batch["request_counts"]
    typer.echo(f"{batch['status']}: {counts['completed']} answered, {counts['failed']} failed.", err=True)
    if batch["status"] != "completed" or counts["failed"]:
        raise typer.Exit(1)


def _wait(client: Client, batch: dict[str, Any]) -> dict[str, Any]:
    told = None
    while batch["status"] not in _ENDED:
        time.sleep(_LOOK)
        batch = json.loads(client.fetch("GET", f"/v1/batches/{batch['id']}"))
        counts = batch["request_counts"]
        if (now := counts["completed"] + counts["failed"]) != told and counts["total"]:
            typer.echo(f"{now} of {counts['total']}", err=True)
            told = now
    return batch


def _endpoint(data: bytes) -> str:
    """Return what the first row asks; the gateway says what is wrong with the others."""
    try:
        return str(json.loads(data.lstrip().partition(b"\n")[0])["url"])
    except (ValueError, KeyError, TypeError):
        raise StartError(
            'The first line of the file is no request: write {"custom_id", "method", "url", "body"}.'
        ) from None


def _form(name: str, data: bytes) -> bytes:
    if _BOUNDARY.encode() in data:
        raise StartError("The file has the words that would end it in a form; send it with another program.")
    plain = "".join(c if c.isalnum() or c in "._-" else "_" for c in name)
    parts = (
        f'--{_BOUNDARY}\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n',
        f'--{_BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="{plain}"\r\n\r\n',
    )
    return "".join(parts).encode() + data + f"\r\n--{_BOUNDARY}--\r\n".encode()
