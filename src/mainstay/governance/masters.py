"""Master keys as they are written: in the configuration, from the environment or a mounted file, or in ``var``.

Knows no data key but as bytes to wrap.
"""

import base64
import binascii
import os
import secrets
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from mainstay.core.errors import StartError
from mainstay.governance.config import SealingConfig
from mainstay.governance.port import Master
from mainstay.store.files import create_once, write_atomic
from mainstay.store.sealing import SealLost

__all__ = ["LocalMaster", "add_master", "drop_masters", "masters_of", "parse_master"]

_BYTES = 32
_NONCE = 12


class LocalMaster:
    """A key of 32 bytes in memory: AES-256-GCM. Implements :class:`~mainstay.governance.port.Master`."""

    def __init__(self, secret: bytes) -> None:
        # Costs a process 40 ms; few have a master key.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self.id = sha256(b"mainstay master key\0" + secret).hexdigest()[:16]
        self._key = AESGCM(secret)

    def wrap(self, key: bytes, about: str) -> bytes:
        """Return ``key`` wrapped. About 2 µs."""
        nonce = os.urandom(_NONCE)
        return nonce + self._key.encrypt(nonce, key, about.encode())

    def unwrap(self, wrapped: bytes, about: str) -> bytes:
        """Return the key. Raises SealLost."""
        from cryptography.exceptions import InvalidTag

        try:
            return self._key.decrypt(wrapped[:_NONCE], wrapped[_NONCE:], about.encode())
        except (InvalidTag, ValueError):
            raise SealLost from None


def parse_master(text: str) -> bytes:
    """Return the 32 bytes of a master key in base64 or hex.

    Raises:
        StartError: it is none.
    """
    plain = text.strip()
    try:
        found = bytes.fromhex(plain) if len(plain) == 2 * _BYTES else base64.b64decode(plain, validate=True)
    except (ValueError, binascii.Error):
        found = b""
    if len(found) != _BYTES:
        raise StartError(
            "A master key is 32 random bytes in base64 or hex: 'openssl rand -base64 32' makes one; "
            "see governance.sealing.key."
        )
    return found


def masters_of(rules: SealingConfig, home: Path) -> list[Master]:
    """Return the master keys, the one that wraps from now on first.

    Raises:
        StartError: one is no key, or the file in ``home`` can be neither read nor made.
    """
    if rules.key is not None:
        texts = [secret.get_secret_value() for secret in (rules.key, *rules.old_keys)]
    else:
        texts = _read(home) + [secret.get_secret_value() for secret in rules.old_keys]
    return [LocalMaster(parse_master(text)) for text in texts]


def add_master(home: Path) -> None:
    """Put a fresh key at the head of the file in ``home``; those before it still unwrap.

    Raises:
        OSError, StartError: the file cannot be written.
    """
    _write(home, [secrets.token_hex(_BYTES), *_read(home)])


def drop_masters(home: Path) -> None:
    """Leave only the first key in the file; when nothing is wrapped by the others any more."""
    _write(home, _read(home)[:1])


def _path(home: Path) -> Path:
    return home / "master.key"


def _read(home: Path) -> list[str]:
    text = create_once(_path(home), f"{secrets.token_hex(_BYTES)}\n".encode()).decode("ascii", "replace")
    return [line for line in text.splitlines() if line.strip()]


def _write(home: Path, lines: Sequence[str]) -> None:
    write_atomic(_path(home), "".join(f"{line}\n" for line in lines).encode())
