"""The lines of a batch: what is asked, what came of it, and what is wrong with a file. Pure but for reading.

A file of requests is JSON Lines: ``{"custom_id": …, "method": "POST", "url": …, "body": {…}}``; files of results are as
OpenAI's Batch API writes them. Blank lines are passed over, and count for line numbers.
"""

from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from mainstay.batches.config import BatchesConfig
from mainstay.core.ids import uuid7

__all__ = ["Flaw", "Row", "check", "read_rows", "recover", "write_answer", "write_fault"]

_MOST_FLAWS = 100
_LONGEST_ID = 512


class Row(msgspec.Struct, frozen=True):
    """One request of a batch."""

    custom_id: str
    method: str
    url: str
    body: msgspec.Raw


class Flaw(msgspec.Struct, frozen=True):
    """What is wrong with a file; ``line`` counts from 1, None meaning the file as a whole."""

    code: str
    message: str
    line: int | None = None
    param: str | None = None


class _Body(msgspec.Struct, gc=False):
    model: str
    stream: bool | None = None


class _Done(msgspec.Struct, gc=False):
    custom_id: str


_row = msgspec.json.Decoder(Row)
_body = msgspec.json.Decoder(_Body)
_done = msgspec.json.Decoder(_Done)


def check(file: BinaryIO, endpoint: str, rules: BatchesConfig) -> tuple[int, list[Flaw]]:
    """Return how many requests a file holds and what is wrong with it: at most the first hundred flaws."""
    flaws: list[Flaw] = []
    seen: dict[str, int] = {}
    number = total = 0
    while line := file.readline(rules.max_line + 2):
        number += 1
        if not line.strip():
            continue
        total += 1
        if total > rules.max_requests:
            most = f"A batch has at most {rules.max_requests} requests; split the file."
            return total, [*flaws, Flaw("too_many_requests", most, number)]
        if len(line.rstrip(b"\r\n")) > rules.max_line:
            # What follows is the rest of this line and no line of its own.
            return total, [*flaws, Flaw("line_too_long", f"A line has at most {rules.max_line} bytes.", number)]
        flaw = _flaw(line, number, endpoint, seen)
        if flaw is not None:
            flaws.append(flaw)
            if len(flaws) == _MOST_FLAWS:
                break
    if not total:
        flaws.append(Flaw("empty_file", "The file has no requests; write one JSON object a line."))
    return total, flaws


def _flaw(line: bytes, number: int, endpoint: str, seen: dict[str, int]) -> Flaw | None:
    try:
        row = _row.decode(line)
    except msgspec.ValidationError as error:
        return Flaw("invalid_request_line", f"This is no request of a batch: {error}.", number, _param(str(error)))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Flaw("invalid_json_line", "This line is not valid JSON.", number)
    if not 0 < len(row.custom_id) <= _LONGEST_ID:
        return Flaw("invalid_custom_id", f"'custom_id' has 1 to {_LONGEST_ID} characters.", number, "custom_id")
    first = seen.setdefault(row.custom_id, number)
    if first != number:
        return Flaw("duplicate_custom_id", f"This 'custom_id' is that of line {first}, too.", number, "custom_id")
    if row.method != "POST":
        return Flaw("invalid_method", "'method' must be 'POST'.", number, "method")
    if row.url != endpoint:
        return Flaw("mismatched_endpoint", f"'url' must be the batch's endpoint, '{endpoint}'.", number, "url")
    try:
        body = _body.decode(row.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Flaw("invalid_body", f"'body' is no request: {error}.", number, "body")
    if body.stream:
        return Flaw("invalid_body", "Answers of a batch are not streamed; leave out 'stream'.", number, "body.stream")
    return None


def _param(said: str) -> str | None:
    """Return the field that msgspec's message is about: ``… required field `x``` or ``… at `$.x```."""
    found = said.split("`")
    return found[-2].removeprefix("$.") if "at `$." in said or "field `" in said else None


def read_rows(file: BinaryIO) -> Iterator[Row]:
    """Yield the requests of a file that was checked.

    Raises:
        ValueError: it is not what was checked.
    """
    for line in file:
        if line.strip():
            yield _row.decode(line)


def recover(file: BinaryIO) -> tuple[int, set[str]]:
    """Return how long the whole lines of a file of results are, and whose they are.

    A line without its end was being written when its writer died.
    """
    size = 0
    done: set[str] = set()
    for line in file:
        if not line.endswith(b"\n"):
            break
        try:
            done.add(_done.decode(line).custom_id)
        except (msgspec.DecodeError, UnicodeDecodeError):
            # After a power cut the end of a file may be zeros.
            break
        size += len(line)
    return size, done


def write_answer(custom_id: str, status: int, request_id: str, body: bytes) -> bytes:
    """Return the line of a request that was answered, be it with an error.

    Raises:
        msgspec.DecodeError: the answer is no JSON.
    """
    # A vendor's own bytes may have line breaks.
    said = msgspec.Raw(msgspec.json.format(body, indent=-1))
    response = {"status_code": status, "request_id": request_id, "body": said}
    return _line(custom_id, response, None)


def write_fault(custom_id: str, code: str, message: str) -> bytes:
    """Return the line of a request that has no answer."""
    return _line(custom_id, None, {"code": code, "message": message})


def _line(custom_id: str, response: object, error: object) -> bytes:
    name = f"batch_req_{uuid7().replace('-', '')}"
    said = {"id": name, "custom_id": custom_id, "response": response, "error": error}
    return msgspec.json.encode(said) + b"\n"
