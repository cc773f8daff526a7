"""Key-values whose values are sealed: each bound to its key, under the key of whom it belongs to."""

from collections.abc import Mapping, Sequence

from mainstay.core.errors import Unavailable
from mainstay.store.kv import KeyValues
from mainstay.store.sealing import Seal, SealLost

__all__ = ["SealedKeyValues", "value_about"]


def value_about(key: str) -> str:
    """Return what the sealed value of a key is bound to."""
    return f"value {key}"


class SealedKeyValues:
    """Implements :class:`~mainstay.store.kv.KeyValues` over another.

    What was put plain before is read as it is; what cannot be opened any more is as if it were not there.
    """

    def __init__(self, values: KeyValues, seal: Seal) -> None:
        self._values = values
        self._seal = seal

    async def get(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Return the values; see :class:`~mainstay.store.kv.KeyValues`."""
        found = {}
        for key, value in (await self._values.get(keys)).items():
            try:
                found[key] = self._seal.open(value, value_about(key))
            except SealLost:
                continue
        return found

    async def put(self, values: Mapping[str, bytes], lifetime: float, owner: tuple[str, str] = ("", "")) -> None:
        """Keep the values sealed; see :class:`~mainstay.store.kv.KeyValues`."""
        try:
            sealed = {key: self._seal.seal(value, value_about(key), *owner) for key, value in values.items()}
        except SealLost:
            raise Unavailable("There is no key to seal what is kept; try again shortly.", retry_after=1.0) from None
        await self._values.put(sealed, lifetime, owner)

    async def delete(self, keys: Sequence[str]) -> None:
        """Forget the keys."""
        await self._values.delete(keys)

    async def aclose(self) -> None:
        """Close."""
        await self._values.aclose()
