"""The catalogue of prices: one packed file, read when it is first asked for; only rows that are needed are decoded.

It comes with Mainstay and may be replaced by a newer one under ``var/``, which ``mainstay prices update`` writes.
"""

import gzip
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec

from mainstay.core.errors import PriceError
from mainstay.cost.matching import find_name, sellers
from mainstay.cost.prices import FREE, Price, read_prices
from mainstay.cost.rates import Tariff
from mainstay.cost.reconcile import Merged

__all__ = ["OWN", "Catalogue", "Contents", "Found", "Source", "packed", "unpacked"]

_PACKAGED: Final = Path(__file__).with_name("data") / "catalogue.json.gz"
#: Kinds of provider that run in this house: they are asked for no money.
OWN: Final = frozenset({"llamacpp", "guards", "echo"})


class Source(msgspec.Struct, frozen=True):
    """Where a part of the catalogue is from, and which state of it."""

    name: str
    address: str
    version: str
    licence: str
    sha256: str


class Contents(msgspec.Struct, frozen=True):
    """The whole catalogue, decoded; ``version`` is the day it was built."""

    version: str
    sources: tuple[Source, ...]
    models: dict[str, dict[str, Merged]]
    aliases: dict[str, dict[str, str]]
    ceilings: dict[str, dict[str, Decimal]]


class _Packed(msgspec.Struct, frozen=True):
    """The same with the models of each seller as they stand in the file."""

    version: str
    sources: tuple[Source, ...]
    models: dict[str, msgspec.Raw]
    aliases: dict[str, dict[str, str]]
    ceilings: dict[str, dict[str, Decimal]]


class Found(msgspec.Struct, frozen=True):
    """A model in the catalogue: who sells it, the name it stands under, and what is known."""

    seller: str
    name: str
    merged: Merged


_plain = msgspec.json.Encoder(order="deterministic")
_file = msgspec.json.Decoder(_Packed)
_models = msgspec.json.Decoder(dict[str, msgspec.Raw])
_merged = msgspec.json.Decoder(Merged)
_contents = msgspec.json.Decoder(Contents)


def packed(contents: Contents) -> bytes:
    """Return ``contents`` as a file holds it; the same bytes for the same contents."""
    return gzip.compress(_plain.encode(contents), compresslevel=9, mtime=0)


def unpacked(data: bytes) -> Contents:
    """Return the contents of a file. Raises PriceError when it is none."""
    try:
        return _contents.decode(gzip.decompress(data))
    except (OSError, EOFError, msgspec.DecodeError):
        raise PriceError("This is no catalogue of prices; make one with 'mainstay prices update'.") from None


class Catalogue:
    """Finds the price of a model. Files are read by :meth:`open` and never again."""

    def __init__(self, data: bytes) -> None:
        try:
            self._file = _file.decode(gzip.decompress(data))
        except (OSError, EOFError, msgspec.DecodeError):
            raise PriceError("The catalogue of prices is damaged; run 'mainstay prices update'.") from None
        self._sellers: dict[str, Mapping[str, msgspec.Raw]] = {}

    @classmethod
    def open(cls, path: Path | None = None) -> "Catalogue":
        """Return the catalogue at ``path`` if there is one and it is newer than the one that comes with Mainstay."""
        if path is not None and path.exists():
            updated = cls(path.read_bytes())
            return updated if updated.version >= _packaged().version else _packaged()
        return _packaged()

    @property
    def version(self) -> str:
        """The day it was built, as ISO 8601 has it."""
        return self._file.version

    @property
    def sources(self) -> tuple[Source, ...]:
        """Where it is from."""
        return self._file.sources

    def find(self, kind: str, name: str, region: str = "") -> Found | None:
        """Return what is known of the model that a provider of ``kind`` calls ``name``, or None.

        ``region`` is for sellers whose prices differ by it, such as Bedrock.
        """
        for seller in sellers(kind):
            known = self._of(seller)
            key = find_name(name, known, self._file.aliases.get(seller, {}), region)
            if key is not None:
                return Found(seller, key, _merged.decode(known[key]))
        return None

    def rows(self, kind: str, name: str, region: str = "") -> tuple[Price, ...] | None:
        """Return the dated rows of a model, or None when it is unknown."""
        found = self.find(kind, name, region)
        if found is None:
            return None
        return read_prices(found.merged.rows, source="catalogue", version=self.version)

    def tariff(
        self,
        kind: str,
        name: str,
        own: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        *,
        region: str = "",
        version: str = "",
    ) -> Tariff | None:
        """Return the compiled price of a model, or None when nobody knows it.

        Args:
            kind: of the provider, as configured.
            name: the provider's own name for the model.
            own: the price in the configuration, which wins: rows as mappings of the fields of ``Price``.
            region: see :meth:`find`.
            version: marks the rows of ``own``, such as by the hash of the configuration.
        """
        if own:
            return Tariff(read_prices(own, source="config", version=version))
        if kind in OWN:
            return Tariff((FREE,))
        rows = self.rows(kind, name, region)
        return Tariff(rows) if rows else None

    def ceiling(self, kind: str) -> Tariff:
        """Return a price for a model that nobody knows: the dearest of its seller, or else of nearly all models.

        It is for holds and for cautious charges; its rows have the source ``ceiling``.
        """
        rates = dict(self._file.ceilings[""])
        for seller in reversed(sellers(kind)):
            rates |= self._file.ceilings.get(seller, {})
        return Tariff((read_prices(rates, source="ceiling", version=self.version)[0],))

    def contents(self) -> Contents:
        """Return everything, decoded; for the command line."""
        models = {seller: {k: _merged.decode(v) for k, v in self._of(seller).items()} for seller in self._file.models}
        held = self._file
        return Contents(held.version, held.sources, models, held.aliases, held.ceilings)

    def _of(self, seller: str) -> Mapping[str, msgspec.Raw]:
        models = self._sellers.get(seller)
        if models is None:
            raw = self._file.models.get(seller)
            models = self._sellers[seller] = _models.decode(raw) if raw is not None else {}
        return models


@cache
def _packaged() -> Catalogue:
    return Catalogue(_PACKAGED.read_bytes())
