"""No form: any text will do."""

__all__ = ["AnyText"]


class AnyText:
    """Takes every text as it is; see :class:`~mainstay.shaping.port.Form`."""

    def words(self) -> str:
        """Return nothing: there is nothing to ask for."""
        return ""

    def settle(self, text: str, *, cut: bool = False) -> str:
        """Return ``text``."""
        return text
