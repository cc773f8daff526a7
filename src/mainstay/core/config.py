"""What every room's configuration is made of: one frozen base and the scalar types people write.

Durations are ``250ms``, ``2s``, ``5m``, ``1h``, ``30d`` and become seconds; sizes are ``512``, ``64KiB``, ``10MiB``
and become bytes. A secret is written by reference (``${NAME}`` or ``file:PATH``) and never shows in ``repr``. What a
relative path is relative to, and how a mounted secret is read, comes from whoever loads the file, as ``LoadContext``;
nothing here opens anything.
"""

import ipaddress
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    SecretStr,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

__all__ = [
    "Duration",
    "HeaderName",
    "LoadContext",
    "LocalPath",
    "Name",
    "OrText",
    "PositiveDuration",
    "Secret",
    "Section",
    "Size",
    "check_url",
    "format_duration",
    "format_size",
    "is_loopback",
    "parse_duration",
    "parse_size",
]

_DURATION = re.compile(r"\s*([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*(ms|s|m|h|d)\s*")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST = 36525 * 86400.0
_SIZE = re.compile(r"\s*([0-9]{1,15})\s*(B|KiB|MiB|GiB)?\s*")
_BYTES = {None: 1, "B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_NAME = r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}"
_PRINTABLE = re.compile(r"[\x20-\x7e]*")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
#: Headers that belong to the connection or the body, which the client writes itself.
_OURS = frozenset(
    {"host", "content-length", "content-type", "connection", "transfer-encoding", "te", "trailer", "upgrade"}
    | {"keep-alive", "proxy-connection", "expect", "accept-encoding"}
)


@dataclass(frozen=True, slots=True)
class LoadContext:
    """What the types below need to know of the file being loaded.

    ``base`` is the folder of the configuration, ``home`` the folder Mainstay writes to (both absolute), and
    ``mounted`` returns the text of the secret at a path, raising ``ValueError`` when it cannot.
    """

    base: str
    home: str
    mounted: Callable[[str], str]


def parse_duration(text: object) -> float:
    """Return seconds for ``250ms``, ``2s``, ``5m``, ``1h`` or ``30d``.

    Raises:
        ValueError: it is not of that form, or longer than a century; a bare number has no unit and is refused.
    """
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("a duration is a number with a unit: 250ms, 2s, 5m, 1h or 30d")
    # Divided, not multiplied by 0.001: 250ms is then the very float 0.25.
    seconds = float(match[1]) / 1000 if match[2] == "ms" else float(match[1]) * _SECONDS[match[2]]
    if seconds > _LONGEST:
        raise ValueError("a duration is at most a century: 36525d")
    return seconds


def format_duration(seconds: float) -> str:
    """Return ``seconds`` as people write it, in the largest unit that divides it: the inverse of parsing."""
    for unit in ("d", "h", "m", "s"):
        count = seconds / _SECONDS[unit]
        if count >= 1 and count == int(count):
            return f"{int(count)}{unit}"
    return "0s" if seconds == 0 else f"{format(round(seconds * 1000, 6), 'f').rstrip('0').rstrip('.')}ms"


def parse_size(text: object) -> int:
    """Return bytes for ``512``, ``64KiB``, ``10MiB`` or ``1GiB``.

    Raises:
        ValueError: it is not of that form.
    """
    if isinstance(text, int) and not isinstance(text, bool) and text >= 0:
        return text
    match = _SIZE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("a size is a whole number of bytes, or one with a unit: 64KiB, 10MiB, 1GiB")
    return int(match[1]) * _BYTES[match[2]]


def format_size(size: int) -> str:
    """Return ``size`` bytes in the largest unit that divides it."""
    for unit in ("GiB", "MiB", "KiB"):
        if size and size % _BYTES[unit] == 0:
            return f"{size // _BYTES[unit]}{unit}"
    return f"{size}B"


def is_loopback(host: str) -> bool:
    """Whether ``host`` (a name or an address, with or without brackets) is reached from this machine only.

    Names are not looked up: of all names only ``localhost`` and those below it count.
    """
    bare = host.strip().removeprefix("[").removesuffix("]").rstrip(".").lower()
    if bare == "localhost" or bare.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def check_url(value: str) -> str:
    """Return a base URL without its last slash. Raises ValueError with what is wrong."""
    if any(c.isspace() or not c.isprintable() for c in value):
        raise ValueError("must be a URL without spaces: https://HOST/PATH")
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("must be a URL: https://HOST/PATH") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("must begin with http:// or https:// and name a host")
    if "@" in parts.netloc:
        raise ValueError("must hold no user name or password; give the key as api_key, by reference")
    if parts.query or parts.fragment:
        raise ValueError("must end with the path: no '?' and no '#'")
    return value.rstrip("/")


def _header(name: str) -> str:
    if not _HEADER.fullmatch(name):
        raise ValueError("is no header name")
    if name.lower() in _OURS:
        raise ValueError("is a header that Mainstay writes itself; leave it out")
    return name.lower()


def _duration(value: Any) -> Any:
    return value if isinstance(value, float) else parse_duration(value)


def _secret(value: Any, info: ValidationInfo) -> Any:
    if not isinstance(value, str):
        return value
    if isinstance(info.context, LoadContext) and value.startswith("file:"):
        value = info.context.mounted(value.removeprefix("file:"))
    if not value.strip():
        raise ValueError("is empty; give the secret a value, or leave the field out")
    if not _PRINTABLE.fullmatch(value):
        raise ValueError("holds a line break or another character that no header can carry")
    return value


def _name(value: str) -> str:
    if not re.fullmatch(_NAME, value):
        raise ValueError(
            "is no name: a name has 1 to 128 letters, digits and . _ : / @ -, and begins with a letter or digit"
        )
    return value


def _local_path(value: str, info: ValidationInfo) -> str:
    if not value or "\0" in value:
        raise ValueError("is no path")
    return os.path.normpath(os.path.join(info.context.base, value)) if isinstance(info.context, LoadContext) else value


#: A length of time, in seconds.
Duration = Annotated[
    float,
    BeforeValidator(_duration),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?(ms|s|m|h|d)$", "examples": ["250ms", "2s", "1h"]}),
]
#: A length of time that is not nothing, in seconds.
PositiveDuration = Annotated[Duration, Field(gt=0)]
#: A number of bytes.
Size = Annotated[
    int,
    BeforeValidator(parse_size),
    PlainSerializer(format_size, return_type=str, when_used="json"),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0},
                {"type": "string", "pattern": r"^\d+(B|KiB|MiB|GiB)?$"},
            ]
        }
    ),
]
#: A secret value, resolved from its reference when the file is loaded.
Secret = Annotated[SecretStr, BeforeValidator(_secret)]
#: The name of a provider, model, route or key.
Name = Annotated[str, AfterValidator(_name), WithJsonSchema({"type": "string", "pattern": f"^{_NAME}$"})]
#: Name of a header that is not one of the connection's or the body's, in lower case.
HeaderName = Annotated[str, AfterValidator(_header)]
#: A path on this machine; a relative one is relative to the folder of the configuration, and absolute once loaded.
LocalPath = Annotated[str, AfterValidator(_local_path)]


class OrText:
    """Says in the JSON Schema that a bare text may stand for the mapping."""

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [{"type": "string"}, handler(core_schema)]}


class Section(BaseModel):
    """Base of every part of the configuration: frozen, unknown fields forbidden, documented field by field."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
        # Built once, within the root, when a file is loaded: importing a room costs nothing.
        defer_build=True,
    )
