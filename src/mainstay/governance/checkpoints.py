"""Checkpoints: the root of the audit log at a size, signed, and kept where whoever changes the log does not reach.

A log that was cut off looks like a shorter log. Only something that stands elsewhere tells: every checkpoint is also a
line of the anchor, a file that belongs on another machine or a medium that is written once. Signed with Ed25519 (RFC
8032); the key lies in ``var/audit.key`` with mode 0600. Does not know the database.
"""

import hmac
import os
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import msgspec

from mainstay.core.audit import canonical
from mainstay.core.errors import StartError
from mainstay.store.files import create_once, private_dir

__all__ = ["Checkpoint", "Signer", "append_anchor", "key_id", "read_anchor", "signed_by"]

_KEY_BYTES = 32


class Checkpoint(msgspec.Struct, frozen=True):
    """The log of ``size`` events has this ``root``; ``previous`` is the hash of the checkpoint before. Texts are hex.

    ``key`` names the public key, ``signature`` is over the canonical bytes of all the rest.
    """

    size: int
    at: int
    root: str
    previous: str
    key: str
    signature: str = ""

    def said(self) -> bytes:
        """Return the bytes that are signed."""
        return b"mainstay audit checkpoint\n" + canonical(msgspec.structs.replace(self, signature=""))

    def hash(self) -> str:
        """Return what the next checkpoint hangs on."""
        return sha256(self.said()).hexdigest()


class Signer:
    """Signs for one installation.

    Args:
        home: the folder Mainstay writes to; the key is made in it by the first process that asks.

    Raises:
        StartError: the key cannot be read or made, or is damaged.
    """

    def __init__(self, home: Path) -> None:
        # Costs a process 30 ms, and few sign.
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        path = home / "audit.key"
        secret = create_once(path, os.urandom(_KEY_BYTES))
        if len(secret) != _KEY_BYTES:
            raise StartError(f"'{path}' is damaged (not {_KEY_BYTES} bytes): restore it from a backup.")
        self._secret = secret
        self._key = Ed25519PrivateKey.from_private_bytes(secret)
        self.public = self._key.public_key().public_bytes_raw()
        self.key = key_id(self.public)

    def pseudonym(self, text: str) -> str:
        """Return a name for ``text`` that only who has the key can tell, the same every time."""
        return hmac.digest(self._secret, b"mainstay subject\0" + text.encode(), "sha256").hex()[:24]

    def sign(self, data: bytes) -> bytes:
        """Return the 64 bytes of a signature."""
        return self._key.sign(data)

    def checkpoint(self, size: int, at: int, root: bytes, previous: str) -> Checkpoint:
        """Return a signed checkpoint."""
        bare = Checkpoint(size, at, root.hex(), previous, self.key)
        return msgspec.structs.replace(bare, signature=self.sign(bare.said()).hex())


def key_id(public: bytes) -> str:
    """Return the name of a public key: the beginning of its hash."""
    return sha256(public).hexdigest()[:16]


def signed_by(public: bytes, data: bytes, signature: bytes) -> bool:
    """Say whether ``signature`` over ``data`` was made with the key that belongs to ``public``."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def append_anchor(path: Path, checkpoint: Checkpoint) -> None:
    """Add a checkpoint to the anchor, on the disk before this returns.

    Raises:
        OSError: it cannot be written.
        StartError: its folder can neither be used nor made.
    """
    private_dir(path.parent)
    line = canonical(checkpoint) + b"\n"
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            # A line that a full disk or power cut tore stands alone.
            line = b"\n" + line
        os.write(descriptor, line)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_anchor(lines: Iterable[bytes]) -> tuple[list[Checkpoint], int]:
    """Return the checkpoints of an anchor, in its order, and how many lines are none."""
    found, bad = [], 0
    for line in lines:
        if not line.strip():
            continue
        try:
            found.append(msgspec.json.decode(line, type=Checkpoint))
        except ValueError:
            bad += 1
    return found, bad
