"""Where a vendor's wire differs from the one it imitates, applied to bytes: requests going up, answers coming down.

Works on JSON objects and knows no wire's codec; a row without differences never comes here. Nothing that could change
an answer is dropped: what the vendor refuses is refused here with the field named, what it calls otherwise is renamed.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from mainstay.core.errors import InvalidRequest, Unsupported
from mainstay.core.events import Dialect
from mainstay.providers.lacking import caller_word
from mainstay.providers.openai.wire import Fields, read_fields, read_list
from mainstay.providers.tasks.form import FormReader
from mainstay.providers.vendors.row import VendorRow

__all__ = ["AnswerEdits", "RequestEdits", "find_values"]

_NULL = b"null"
_LIMITS = ("max_tokens", "max_completion_tokens")
#: The code that stands for each meaning of an error, as every codec of an upstream knows it, with its HTTP status.
_CODES = {
    "context": (400, "context_length_exceeded"),
    "filter": (400, "content_filter"),
    "quota": (402, "insufficient_quota"),
    "credential": (401, "invalid_api_key"),
    "rate": (429, "rate_limit_exceeded"),
    "overloaded": (503, "service_unavailable"),
    "failed": (500, "server_error"),
    "refused": (400, "invalid_request_error"),
}
#: What the words of an error are called beside its code.
_WORDS = ("message", "status_msg", "msg")
_ID = re.compile(r"[A-Za-z0-9]+")


class RequestEdits:
    """What a row changes in a request's body. ``is_needed`` is false when it changes nothing."""

    def __init__(self, row: VendorRow) -> None:
        self._rejects = [_Refusal(path) for path in row.rejects]
        self._renames = list(row.renames.items())
        if row.limit != "either":
            self._renames += [(name, row.limit) for name in _LIMITS if name != row.limit]
        self._drops_null = row.drops_null
        self._no_stream_options = not row.stream_options
        self._id_length = row.tool_id_length
        self.is_needed = bool(
            self._rejects or self._renames or row.drops_null or self._no_stream_options or row.tool_id_length
        )

    def apply(self, body: bytes, model: str, dialect: Dialect, *, translated: bool = False) -> bytes:
        """Return ``body`` as the vendor takes it; the same object when nothing had to change.

        ``dialect`` is the caller's, whose names a refusal uses; ``translated``: the body is of another one.

        Raises:
            Unsupported: it has a field that the vendor refuses; ``param`` is its place.
            InvalidRequest: it has a field twice, under both names, with different values.
        """
        fields = read_fields(body)
        for refusal in self._rejects:
            place = refusal.find(fields)
            if place is not None:
                raise refusal.error(caller_word(place, dialect, sent=translated), model)
        changed = False
        for name, theirs in self._renames:
            changed = (name in fields and _rename(fields, name, theirs)) or changed
        if self._no_stream_options and "stream_options" in fields:
            del fields["stream_options"]
            changed = True
        if self._drops_null:
            empty = [name for name, value in fields.items() if bytes(value) == _NULL]
            for name in empty:
                del fields[name]
            changed = changed or bool(empty)
        if self._id_length is not None and b'"tool_call' in body:
            changed = _shorten_ids(fields, self._id_length) or changed
        return msgspec.json.encode(fields) if changed else body

    def apply_form(self, body: bytes, kind: bytes, model: str, dialect: Dialect) -> bytes:
        """Do the same to a form; ``kind`` is its content type. What a form cannot hold, as null, is no concern here.

        Raises:
            Unsupported, InvalidRequest: as :meth:`apply`.
        """
        if not self._rejects and not self._renames:
            return body
        reader = FormReader(kind)
        reader.feed(body)
        form = reader.finish()
        fields = {
            part.name.removesuffix("[]"): msgspec.Raw(
                msgspec.json.encode(
                    "" if part.filename is not None else body[part.start : part.end].decode("utf-8", "replace")
                )
            )
            for part in form.parts
        }
        for refusal in self._rejects:
            place = refusal.find(fields)
            if place is not None:
                raise refusal.error(caller_word(place, dialect), model)
        names = {name: theirs for name, theirs in self._renames if name in fields}
        for name, theirs in names.items():
            if theirs in fields:
                raise _both(name, theirs)
        return form.renamed(names) if names else body


class _Refusal:
    """One entry of ``rejects``."""

    def __init__(self, entry: str) -> None:
        path, _, self._value = entry.partition("=")
        self._steps = path.split(".")

    def find(self, fields: Fields) -> str | None:
        """Return the place of the first value that is refused, or None."""
        for place, value in _walk(fields, self._steps, ""):
            said = bytes(value)
            if said != _NULL and (not self._value or said.strip(b'"') == self._value.encode()):
                return place
        return None

    def error(self, place: str, model: str) -> Unsupported:
        value = f"'{self._value}' in " if self._value else ""
        return Unsupported(
            f"The model '{model}' does not take {value}'{place}'; leave it out or choose another model.", param=place
        )


def _walk(fields: Fields, steps: list[str], at: str) -> Iterator[tuple[str, msgspec.Raw]]:
    """Yield every value that ``steps`` lead to, with its place. What has another shape leads nowhere."""
    name = steps[0].removesuffix("[]")
    value = fields.get(name)
    if value is None:
        return
    place = f"{at}.{name}" if at else name
    found = [(place, value)]
    if steps[0].endswith("[]"):
        items = read_list(value) if bytes(value)[:1] == b"[" else []
        found = [(f"{place}[{i}]", item) for i, item in enumerate(items)]
    for where, inner in found:
        if len(steps) == 1:
            yield where, inner
        elif bytes(inner)[:1] == b"{":
            yield from _walk(read_fields(inner), steps[1:], where)


def _rename(fields: Fields, name: str, theirs: str) -> bool:
    """Move a field to the name the vendor has for it."""
    value = fields.pop(name)
    there = fields.get(theirs)
    if there is None or bytes(there) == _NULL:
        fields[theirs] = value
    elif bytes(value) not in (_NULL, bytes(there)):
        raise _both(name, theirs)
    return True


def _both(name: str, theirs: str) -> InvalidRequest:
    return InvalidRequest(f"'{name}' and '{theirs}' mean the same here; give one of them.", param=name)


def _shorten_ids(fields: Fields, length: int) -> bool:
    """Give every tool call, and every result that names it, an id of the form the vendor wants."""
    messages: list[Any] = []
    changed = False
    if bytes(fields.get("messages", b""))[:1] != b"[":
        return False
    for raw in read_list(fields["messages"]):
        message: dict[str, Any] = {}
        if bytes(raw)[:1] == b"{" and b'"tool_call' in bytes(raw):
            message = dict(read_fields(raw))
            changed = _shorten(message, "tool_call_id", length) or changed
            calls = message.get("tool_calls", _NULL)
            if bytes(calls)[:1] == b"[":
                entries = [dict(read_fields(call)) if bytes(call)[:1] == b"{" else call for call in read_list(calls)]
                if sum(_shorten(entry, "id", length) for entry in entries if isinstance(entry, dict)):
                    message["tool_calls"] = entries
                    changed = True
        messages.append(message or raw)
    if changed:
        fields["messages"] = msgspec.Raw(msgspec.json.encode(messages))
    return changed


def _shorten(entry: dict[str, Any], name: str, length: int) -> bool:
    value = bytes(entry.get(name, b""))
    if value[:1] != b'"':
        return False
    given = msgspec.json.decode(value, type=str)
    if len(given) == length and _ID.fullmatch(given):
        return False
    entry[name] = hashlib.blake2s(given.encode("utf-8", "replace")).hexdigest()[:length]
    return True


class AnswerEdits:
    """What a row changes in an answer, whole or one event of a stream. ``is_needed`` as above."""

    def __init__(self, row: VendorRow) -> None:
        self._usage = [path.split(".") for path in row.usage]
        #: What stands in every answer that may need a change.
        self._marks = [f'"{path[0].removesuffix("[]")}"'.encode() for path in self._usage]
        self._reasoning = row.reasoning
        if row.reasoning:
            self._marks.append(f'"{row.reasoning}"'.encode())
        self._ends = {f'"{word}"'.encode(): f'"{ours}"'.encode() for word, ours in row.finish_reasons.items()}
        self._marks += self._ends
        self._code = row.error_code.split(".") if row.error_code is not None else []
        if self._code:
            self._marks.append(f'"{self._code[-1]}"'.encode())
        self._errors = row.errors
        self.is_needed = bool(self._marks)
        self.knows_errors = bool(row.errors)

    def apply(self, data: bytes) -> bytes:
        """Return an answer, or one event, as the wire's codec reads it; unchanged where nothing is to be done."""
        if not any(mark in data for mark in self._marks):
            return data
        try:
            return self._apply(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            # The codec says what is wrong with it.
            return data

    def _apply(self, data: bytes) -> bytes:
        fields = read_fields(data)
        if self._code:
            code = _text(next((value for _, value in _walk(fields, self._code, "")), None))
            if code not in ("", "0"):
                holder = next((v for _, v in _walk(fields, self._code[:-1], "")), None) if self._code[1:] else data
                meaning = self._errors.get(code, "failed")
                return _error(meaning, _words(read_fields(holder or b"{}")), code)
        changed = bytes(fields.get("usage", _NULL)) == _NULL and self._place_usage(fields)
        if (self._reasoning or self._ends) and "choices" in fields:
            changed = self._edit_choices(fields) or changed
        return msgspec.json.encode(fields) if changed else data

    def _place_usage(self, fields: Fields) -> bool:
        for path in self._usage:
            for _, value in _walk(fields, path, ""):
                if bytes(value)[:1] == b"{":
                    fields["usage"] = value
                    return True
        return False

    def _edit_choices(self, fields: Fields) -> bool:
        """Give the ends and the reasoning of every choice the names they have on the wire."""
        changed = False
        choices = []
        for raw in read_list(fields["choices"]):
            choice: dict[str, Any] = dict(read_fields(raw))
            word = self._ends.get(bytes(choice.get("finish_reason", b"")))
            if word is not None:
                choice["finish_reason"] = msgspec.Raw(word)
                changed = True
            for level in ("delta", "message"):
                inner = choice.get(level, _NULL)
                if bytes(inner)[:1] == b"{":
                    message = read_fields(inner)
                    if self._reasoning in message:
                        message["reasoning_content"] = message.pop(self._reasoning)
                        choice[level] = message
                        changed = True
            choices.append(choice)
        if changed:
            fields["choices"] = msgspec.Raw(msgspec.json.encode(choices))
        return changed

    def error(self, status: int, body: bytes) -> tuple[int, bytes]:
        """Return status and body of an error, those that stand for its meaning if its code is one of the row's."""
        try:
            data = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return status, body
        for place, code in _codes(data):
            meaning = self._errors.get(code)
            if meaning is not None:
                words = next((place[name] for name in _WORDS if isinstance(place.get(name), str)), "")
                return _CODES[meaning][0], _error(meaning, words, code)
        return status, body


def find_values(data: Any, matches: Callable[[Any], bool]) -> Iterator[Any]:
    """Yield every object in ``data``, at most two levels down, that ``matches``."""
    levels = [data] if not isinstance(data, list) else data[:1]
    for _ in range(3):
        levels = [one for one in levels if isinstance(one, dict)]
        yield from filter(matches, levels)
        levels = [inner for one in levels for inner in one.values()]


def _codes(data: Any) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Yield what may be the code of an error, with the object it stands in."""
    for place in find_values(data, bool):
        for name in ("code", "status_code", "type", "error_code"):
            value = place.get(name)
            if isinstance(value, str | int) and not isinstance(value, bool):
                yield place, str(value)


def _error(meaning: str, words: str, own: str) -> bytes:
    kind = _CODES[meaning][1]
    code = own if meaning == "refused" else kind
    return msgspec.json.encode({"error": {"message": words, "type": kind, "param": None, "code": code}})


def _words(fields: Fields) -> str:
    return next(filter(None, (_text(fields.get(name)) for name in _WORDS)), "")


def _text(value: msgspec.Raw | None) -> str:
    """Return a text or a number as text, "" for anything else."""
    said = msgspec.json.decode(value) if value is not None else None
    return str(said) if isinstance(said, str | int) and not isinstance(said, bool) else ""
