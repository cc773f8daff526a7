"""Sealed bytes: AES-256-GCM under a data key, behind a header that says which format and which key.

A piece is bound to what it is about (a record's id, a row's key): in another place it does not open. Whose key seals,
and where keys come from, is ``governance``'s; here they are in memory. Does not know what is sealed.

Format 1, in bytes: ``\\0ms1``, the key's 16 bytes of id, 12 bytes of nonce, the sealed text with its tag. As text:
``mainstay-sealed:1:`` and base64 of all that follows the mark.
"""

import base64
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

if TYPE_CHECKING:  # costs a process 40 ms, and only who seals needs it
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["KeyedSeal", "NullSeal", "Seal", "SealLost", "is_sealed", "key_of", "request_about", "response_about"]

_MARK = b"\0ms1"
_TEXT = "mainstay-sealed:1:"
_ID, _NONCE, _TAG = 16, 12, 16
_HEAD = _ID + _NONCE


class SealLost(Exception):
    """What is sealed cannot be opened: its key is not here, or it is not what was sealed. Or nothing can be sealed."""


class Seal(Protocol):
    """Seals what belongs to an organisation and a team, and opens what any of them sealed."""

    @property
    def enabled(self) -> bool:
        """Whether what is new is to be sealed."""
        ...

    def seal(self, plain: bytes, about: str, organisation: str, team: str) -> bytes:
        """Return ``plain`` sealed; itself where sealing is not wanted.

        Raises:
            SealLost: sealing is wanted, and there is no key.
        """
        ...

    def open(self, data: bytes, about: str) -> bytes:
        """Return what was sealed; ``data`` itself where it is not sealed.

        Raises:
            SealLost: it cannot be opened.
        """
        ...

    def seal_text(self, plain: str, about: str, organisation: str, team: str) -> str:
        """Return a text sealed, as text; see :meth:`seal`."""
        ...

    def open_text(self, text: str, about: str) -> str:
        """Return the text that was sealed; see :meth:`open`."""
        ...


class NullSeal:
    """Leaves everything as it is, and opens nothing that is sealed."""

    enabled = False

    def seal(self, plain: bytes, about: str, organisation: str, team: str) -> bytes:
        """Return ``plain``."""
        return plain

    def open(self, data: bytes, about: str) -> bytes:
        """Return ``data`` if it is not sealed. Raises SealLost."""
        if is_sealed(data):
            raise SealLost
        return data

    def seal_text(self, plain: str, about: str, organisation: str, team: str) -> str:
        """Return ``plain``."""
        return plain

    def open_text(self, text: str, about: str) -> str:
        """Return ``text`` if it is not sealed. Raises SealLost."""
        if text.startswith(_TEXT):
            raise SealLost
        return text


class KeyedSeal:
    """Seals with keys in memory; :meth:`take` replaces them all at once, so that threads may share it."""

    def __init__(self) -> None:
        self.enabled = False
        self._by_organisation = False
        self._homes: Mapping[str, str] = {}
        self._opening: Mapping[bytes, AESGCM] = {}
        self._sealing: Mapping[str, tuple[bytes, AESGCM]] = {}

    def take(
        self,
        keys: Mapping[str, bytes],
        newest: Mapping[str, str],
        *,
        enabled: bool,
        tenant: str,
        homes: Mapping[str, str] | None = None,
    ) -> None:
        """Take keys of 32 bytes by their id (a UUID), and which of them seals for each tenant from now on.

        ``newest`` has ``team:NAME`` or ``organisation:NAME``, and under "" the installation's own, for a tenant whose
        key is not there yet. ``tenant`` says whose keys seal: ``team`` or ``organisation``; ``homes`` has the
        organisation of every team, for what says only its team.
        """
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        known = self._opening
        opening = {}
        for name, secret in keys.items():
            raw = UUID(name).bytes
            opening[raw] = known.get(raw) or AESGCM(secret)
        self._sealing = {
            owner: (raw, opening[raw]) for owner, name in newest.items() if (raw := UUID(name).bytes) in opening
        }
        self._opening = opening
        self._homes = homes or {}
        self._by_organisation = tenant == "organisation"
        self.enabled = enabled

    def seal(self, plain: bytes, about: str, organisation: str, team: str) -> bytes:
        """Return ``plain`` sealed; see :class:`Seal`."""
        return _MARK + self._sealed(plain, about, organisation, team) if self.enabled else plain

    def open(self, data: bytes, about: str) -> bytes:
        """Return what was sealed; see :class:`Seal`."""
        return self._opened(data[len(_MARK) :], about) if data.startswith(_MARK) else data

    def seal_text(self, plain: str, about: str, organisation: str, team: str) -> str:
        """Return a text sealed; see :class:`Seal`. About 6 µs for 2 KB."""
        if not self.enabled:
            return plain
        # A caller's broken surrogate is sealed as it came.
        data = self._sealed(plain.encode("utf-8", "surrogatepass"), about, organisation, team)
        return _TEXT + base64.b64encode(data).decode("ascii")

    def open_text(self, text: str, about: str) -> str:
        """Return the text that was sealed; see :class:`Seal`."""
        if not text.startswith(_TEXT):
            return text
        try:
            data = base64.b64decode(text[len(_TEXT) :], validate=True)
        except ValueError:
            raise SealLost from None
        return self._opened(data, about).decode("utf-8", "surrogatepass")

    def tenant_of(self, organisation: str, team: str) -> str:
        """Return whose key is to seal what belongs to a team of an organisation."""
        if team and not self._by_organisation:
            return f"team:{team}"
        return f"organisation:{organisation or self._homes.get(team, 'default')}"

    def _sealed(self, plain: bytes, about: str, organisation: str, team: str) -> bytes:
        found = self._sealing.get(self.tenant_of(organisation, team)) or self._sealing.get("")
        if found is None:
            raise SealLost
        nonce = os.urandom(_NONCE)
        return found[0] + nonce + found[1].encrypt(nonce, plain, about.encode())

    def _opened(self, data: bytes, about: str) -> bytes:
        from cryptography.exceptions import InvalidTag

        key = self._opening.get(data[:_ID])
        if key is None or len(data) < _HEAD + _TAG:
            raise SealLost
        try:
            return key.decrypt(data[_ID:_HEAD], data[_HEAD:], about.encode())
        except InvalidTag:
            raise SealLost from None


def is_sealed(data: bytes) -> bool:
    """Say whether bytes are sealed."""
    return data.startswith(_MARK)


def key_of(data: bytes | str) -> str:
    """Return the id of the key that bytes or a text are sealed with, "" where they are plain."""
    if isinstance(data, str):
        if not data.startswith(_TEXT):
            return ""
        # 24 characters are 18 bytes.
        raw = base64.b64decode(data[len(_TEXT) : len(_TEXT) + 24])[:_ID]
        return str(UUID(bytes=raw)) if len(raw) == _ID else ""
    return str(UUID(bytes=data[len(_MARK) :][:_ID])) if is_sealed(data) and len(data) > len(_MARK) + _ID else ""


def request_about(record_id: str) -> str:
    """Return what the sealed request of a record is bound to."""
    return f"record {record_id} request"


def response_about(record_id: str) -> str:
    """Return what the sealed response of a record is bound to."""
    return f"record {record_id} response"
