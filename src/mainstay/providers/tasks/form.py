"""A form with files (RFC 7578), read while it arrives.

The body is kept as it came, once; a part is a place in it. So a form whose model has the same name upstream goes up
byte for byte, and one whose model has another differs in that name only. Files are never decoded, logged or recorded.
"""

import re
from collections.abc import Mapping

import msgspec

from mainstay.core.errors import InvalidRequest, UnsupportedMediaType

__all__ = ["Form", "FormPart", "FormReader"]

_MOST_PARTS = 64
_LONGEST_HEAD = 8 * 1024
#: Bytes of a field that is no file.
_LONGEST_FIELD = 1024 * 1024
_BOUNDARY = re.compile(rb';\s*boundary\s*=\s*(?:"([^"\r\n]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE)
_PARAMETER = re.compile(r';\s*(name|filename)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))', re.IGNORECASE)
_ESCAPE = re.compile(r"\\(.)")
#: What may stand between a boundary and the end of its line.
_PADDING = b" \t"


class FormPart(msgspec.Struct, frozen=True):
    """One part: its bytes are ``raw[start:end]`` of the form. ``filename`` is None for a plain field."""

    name: str
    filename: str | None
    kind: str
    start: int
    end: int


class Form(msgspec.Struct, frozen=True):
    """A form as it came. ``kind`` is its content type, boundary included."""

    raw: bytes
    kind: bytes
    parts: tuple[FormPart, ...]

    def field(self, name: str) -> str | None:
        """Return the text of a plain field, or None when it is not there.

        Raises:
            InvalidRequest: it is there more than once, or is no text.
        """
        found = [part for part in self.parts if part.name == name]
        if not found:
            return None
        if len(found) > 1:
            raise InvalidRequest(f"'{name}' is given more than once; give it once.", param=name)
        try:
            return self.raw[found[0].start : found[0].end].decode()
        except UnicodeDecodeError:
            raise InvalidRequest(f"'{name}' is not valid UTF-8 text.", param=name) from None

    def files(self, name: str) -> list[FormPart]:
        """Return the parts of this name, or of the list of this name (``image[]``)."""
        return [part for part in self.parts if part.name in (name, f"{name}[]")]

    def with_field(self, name: str, value: str) -> bytes:
        """Return the body with another text in the plain field ``name``, which is there."""
        part = next(part for part in self.parts if part.name == name)
        return b"".join((self.raw[: part.start], value.encode(), self.raw[part.end :]))

    def renamed(self, names: Mapping[str, str]) -> bytes:
        """Return the body with parts, and lists of them, under other names; ``names`` are plain words."""
        written, at, before = [], 0, 0
        for part in self.parts:
            word = part.name.removesuffix("[]")
            if word in names:
                start, end = self._place_of_name(part, before)
                written += [self.raw[at:start], f'"{names[word]}{part.name[len(word) :]}"'.encode()]
                at = end
            before = part.end
        return b"".join((*written, self.raw[at:]))

    def _place_of_name(self, part: FormPart, before: int) -> tuple[int, int]:
        """Return where the name of a part stands; the part before it ends at ``before``."""
        # One byte, one character, so that places in the text are places in the bytes.
        head = self.raw[before : part.start].decode("latin-1")
        line = head.lower().rindex("\r\ncontent-disposition")
        found = next(m for m in _PARAMETER.finditer(head, line) if m[1].lower() == "name")
        start, end = found.span(2) if found[2] is not None else found.span(3)
        quote = 1 if found[2] is not None else 0
        return before + start - quote, before + end + quote

    def describe(self) -> str:
        """Return the form as JSON with every file replaced by its name, type and size: what a record may keep."""
        told = [
            {"name": part.name, "value": self.raw[part.start : part.end].decode("utf-8", "replace")}
            if part.filename is None
            else {
                "name": part.name,
                "filename": part.filename,
                "content_type": part.kind,
                "bytes": part.end - part.start,
            }
            for part in self.parts
        ]
        return msgspec.json.encode({"form": told}).decode()


class FormReader:
    """Takes a form piece by piece and refuses what is wrong as soon as it shows.

    Args:
        kind: the content type of the request.

    Raises:
        UnsupportedMediaType: it is no form, or names no boundary.
    """

    def __init__(self, kind: bytes) -> None:
        found = _BOUNDARY.search(kind)
        if not kind.lower().startswith(b"multipart/form-data") or found is None:
            raise UnsupportedMediaType("Send the file as a form: 'content-type: multipart/form-data; boundary=…'.")
        self._kind = kind
        # With a line's end before the very first one, all boundaries look alike.
        self._raw = bytearray(b"\r\n")
        self._mark = b"\r\n--" + (found[1] or found[2])
        self._parts: list[FormPart] = []
        #: Where the part begins whose head or body is being read; -1 before the first boundary.
        self._head = self._body = -1
        self._seen = 0
        self._ended = False

    def feed(self, piece: bytes) -> None:
        """Take the next piece of the body.

        Raises:
            InvalidRequest: the form is damaged or over a limit.
        """
        self._raw += piece
        while not self._ended and self._step():
            pass

    def finish(self) -> Form:
        """Say that the body has ended.

        Raises:
            InvalidRequest: the form has not.
        """
        if not self._ended:
            raise _damaged("its last boundary is missing")
        shifted = tuple(msgspec.structs.replace(part, start=part.start - 2, end=part.end - 2) for part in self._parts)
        return Form(bytes(self._raw[2:]), self._kind, shifted)

    def _step(self) -> bool:
        """Read on to the next mark; return whether there is more to read."""
        return self._read_head() if self._head >= 0 and self._body < 0 else self._read_body()

    def _read_head(self) -> bool:
        raw = self._raw
        # The line's end of the boundary ends an empty head, too.
        end = raw.find(b"\r\n\r\n", self._head - 2)
        if end < 0 or end - self._head > _LONGEST_HEAD:
            if len(raw) - self._head > _LONGEST_HEAD:
                raise _damaged("the head of a part is too long")
            return False
        if len(self._parts) == _MOST_PARTS:
            raise InvalidRequest(f"The form has more than {_MOST_PARTS} parts; send fewer.")
        name, filename, kind = _read_names(bytes(raw[self._head : max(end, self._head)]))
        self._body = self._seen = end + 4
        self._parts.append(FormPart(name, filename, kind, self._body, -1))
        # An empty body is followed by its boundary at once, whose line's end is then the head's.
        self._seen = end + 2
        return True

    def _read_body(self) -> bool:
        raw, mark = self._raw, self._mark
        at = raw.find(mark, self._seen)
        if at < 0:
            self._check_size(len(raw))
            self._seen = max(self._seen, len(raw) - len(mark) + 1)
            return False
        after = at + len(mark)
        if raw[after : after + 2] == b"--":
            self._close(at)
            self._ended = True
            return False
        line = raw.find(b"\r\n", after)
        padding = bytes(raw[after:line] if line >= 0 else raw[after:])
        if padding.strip(_PADDING) not in ((b"", b"\r", b"-") if line < 0 else (b"",)):
            # The boundary's own bytes within a longer line are content.
            self._seen = at + 1
            return True
        if line < 0:
            self._seen = at
            return False
        self._close(at)
        self._head, self._body = line + 2, -1
        return True

    def _close(self, end: int) -> None:
        if self._body < 0:
            return
        self._check_size(end)
        self._parts[-1] = msgspec.structs.replace(self._parts[-1], end=max(end, self._body))

    def _check_size(self, end: int) -> None:
        if self._body >= 0 and self._parts[-1].filename is None and end - self._body > _LONGEST_FIELD + len(self._mark):
            name = self._parts[-1].name
            raise InvalidRequest(f"'{name[:100]}' is too long for a field of a form.", param=name[:100])


def _read_names(head: bytes) -> tuple[str, str | None, str]:
    """Return name, file name and content type of a part."""
    headers: dict[str, str] = {}
    for line in head.split(b"\r\n"):
        key, colon, value = line.decode("utf-8", "replace").partition(":")
        if line and not colon:
            raise _damaged("a part has a line that is no header")
        headers[key.strip().lower()] = value.strip()
    disposition = headers.get("content-disposition", "")
    named: dict[str, str] = {}
    for key, quoted, plain in _PARAMETER.findall(disposition):
        named.setdefault(key.lower(), _ESCAPE.sub(r"\1", quoted) or plain)
    if not disposition.lower().startswith("form-data") or "name" not in named:
        raise _damaged("a part has no name")
    if headers.get("content-transfer-encoding", "binary").lower() not in ("binary", "8bit", "7bit"):
        raise _damaged("a part is encoded; send it as it is")
    return named["name"], named.get("filename"), headers.get("content-type", "")


def _damaged(how: str) -> InvalidRequest:
    return InvalidRequest(f"The form cannot be read: {how}.")
