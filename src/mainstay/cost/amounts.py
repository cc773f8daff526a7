"""Amounts of money as whole numbers of 1e-12 US dollars: how they are shared out and how they are written. Pure."""

from collections.abc import Sequence

__all__ = ["dollars", "split"]


def split(total: int, weights: Sequence[int]) -> list[int]:
    """Return ``total`` cut in proportion to ``weights`` with nothing lost; the first takes what is left over.

    Without any weight, all goes to the first.
    """
    whole = sum(weights)
    if not whole:
        return [total if place == 0 else 0 for place in range(len(weights))]
    parts = [total * weight // whole for weight in weights]
    parts[max(range(len(parts)), key=weights.__getitem__)] += total - sum(parts)
    return parts


def dollars(picousd: int) -> str:
    """Return units of 1e-12 US dollars as the shortest decimal string, exact."""
    whole, part = divmod(abs(picousd), 10**12)
    text = f"{whole}.{part:012d}".rstrip("0").rstrip(".")
    return f"-{text}" if picousd < 0 else text
