"""Who holds the master key: the port behind which it lies in memory, in a file, or in a service for keys."""

from typing import Protocol

__all__ = ["Master"]


class Master(Protocol):
    """Wraps data keys, and unwraps what it wrapped. Nothing else is ever sealed with it."""

    @property
    def id(self) -> str:
        """Its name, which says nothing of the key; another key has another."""
        ...

    def wrap(self, key: bytes, about: str) -> bytes:
        """Return ``key`` wrapped, bound to what it is about."""
        ...

    def unwrap(self, wrapped: bytes, about: str) -> bytes:
        """Return the key.

        Raises:
            SealLost: this master did not wrap it, or not for that.
        """
        ...
