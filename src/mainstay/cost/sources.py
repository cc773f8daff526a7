"""Where the catalogue's prices are from: the two public sources, how they are fetched, and the catalogue made of them.

Nothing here runs unless a command asks for it: never at import, never while calls are served.
"""

import hashlib
import urllib.request
import zipfile
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import msgspec

from mainstay.core.errors import PriceError
from mainstay.cost.catalogue import Contents, Source
from mainstay.cost.reconcile import Merged, ceilings, merge
from mainstay.cost.source_genai import read_genai, read_genai_python
from mainstay.cost.source_litellm import read_litellm

__all__ = ["GENAI_URL", "LITELLM_URL", "build", "difference", "load"]

LITELLM_URL: Final = "https://raw.githubusercontent.com/BerriAI/litellm/main/model_prices_and_context_window.json"
GENAI_URL: Final = (
    "https://raw.githubusercontent.com/pydantic/genai-prices/refs/heads/main/prices/new_data/v2/data.json"
)
_LICENCES: Final = {
    "litellm": "MIT, Copyright (c) 2023 Berri AI",
    "genai-prices": "MIT, Copyright (c) 2025 to present Pydantic Services Inc.",
}
_LARGEST: Final = 256 * 1024 * 1024
#: The file of each source within its package, which is what a machine without the web can have.
_IN_PACKAGE: Final = {
    "litellm": "litellm/model_prices_and_context_window_backup.json",
    "genai-prices": "genai_prices/data.py",
}


def load(place: str) -> tuple[bytes, str]:
    """Return the bytes at ``place``, a path or an address, and a word for which state of the source they are.

    Raises:
        PriceError: there is nothing to be had.
    """
    try:
        if place.startswith(("https://", "http://")):
            asked = urllib.request.Request(place, headers={"user-agent": "mainstay"})  # noqa: S310  # http and https only
            with urllib.request.urlopen(asked, timeout=60) as answer:  # noqa: S310  # as in the line before
                return answer.read(_LARGEST), ""
        data = Path(place).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or getattr(error, "reason", None) or error
        raise PriceError(f"Prices cannot be read from '{place}': {reason}.") from None
    return data, "-".join(Path(place).name.split("-")[:2]) if place.endswith(".whl") else ""


def build(
    litellm: tuple[bytes, str],
    genai: tuple[bytes, str],
    today: date,
    places: tuple[str, str] = (LITELLM_URL, GENAI_URL),
) -> Contents:
    """Return the catalogue that both sources make, as of ``today``.

    Each source is its JSON, or a package (a wheel) that holds it.

    Raises:
        PriceError: one of them is not what it should be.
    """
    table = _decode("litellm", litellm[0])
    providers = _decode("genai-prices", genai[0])
    if not isinstance(table, Mapping) or not isinstance(providers, list):
        raise PriceError("A source of prices has another form than it should; are --litellm and --genai the right way?")
    try:
        listed = read_genai(providers, today)
        merged = merge(listed, read_litellm(table), today)
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise PriceError(f"A source of prices cannot be read; its form is not known here ({error!r}).") from None
    sources = tuple(
        Source(name, place, version, _LICENCES[name], hashlib.sha256(data).hexdigest())
        for name, place, (data, version) in (
            ("genai-prices", places[1], genai),
            ("litellm", places[0], litellm),
        )
    )
    return Contents(today.isoformat(), sources, merged, listed.aliases, ceilings(merged))


def _decode(name: str, data: bytes) -> Any:
    text = data
    if data[:2] == b"PK":
        try:
            with zipfile.ZipFile(BytesIO(data)) as package:
                text = package.read(_IN_PACKAGE[name])
        except (zipfile.BadZipFile, KeyError):
            raise PriceError(f"This package is not that of {name}, or not one that is known.") from None
    try:
        if name == "genai-prices" and text.lstrip()[:1] not in (b"[", b"{"):
            return read_genai_python(text.decode())
        return _exact.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, SyntaxError, RecursionError):
        raise PriceError(f"What was given for {name} is not its data.") from None


class _Exact:
    """Decodes JSON with every number that is not whole as a decimal, as it was written."""

    def __init__(self) -> None:
        self._decoder = msgspec.json.Decoder(float_hook=Decimal)

    def decode(self, text: bytes) -> Any:
        return self._decoder.decode(text)


_exact = _Exact()


def difference(before: Contents, after: Contents) -> list[tuple[str, str, str, str, str]]:
    """Return what a new catalogue says otherwise: the change, seller, model, and input and output before and after."""
    changes = []
    for seller in sorted({*before.models, *after.models}):
        old, new = before.models.get(seller, {}), after.models.get(seller, {})
        for name in sorted({*old, *new}):
            was, now = old.get(name), new.get(name)
            if was is None or now is None:
                changes.append(("gone" if now is None else "new", seller, name, _brief(was), _brief(now)))
            elif _plain(was) != _plain(now):
                changes.append(("changed", seller, name, _brief(was), _brief(now)))
    return changes


def _plain(merged: Merged) -> object:
    """Return rows as a file has them, whose numbers are text."""
    return msgspec.json.decode(msgspec.json.encode(merged.rows))


def _brief(merged: Merged | None) -> str:
    if merged is None:
        return ""
    row = merged.rows[-1]
    return " ".join(str(rate) for kind, rate in row.items() if kind in ("input", "output")) or ", ".join(row)
