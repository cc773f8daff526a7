"""The master that wraps nothing: data keys lie in the database as they are. For tests, and where the disk is sealed."""

__all__ = ["NullMaster"]


class NullMaster:
    """Implements :class:`~mainstay.governance.port.Master`."""

    id = "none"

    def wrap(self, key: bytes, about: str) -> bytes:
        """Return ``key``."""
        return key

    def unwrap(self, wrapped: bytes, about: str) -> bytes:
        """Return ``wrapped``."""
        return wrapped
