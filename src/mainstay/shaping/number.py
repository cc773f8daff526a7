"""``kind: number``: one number within bounds."""

import re
from decimal import Decimal
from typing import Final

from mainstay.shaping.json import CUT
from mainstay.shaping.plain import bare
from mainstay.shaping.port import Flaw, Misfit

__all__ = ["Number"]

_NUMBER: Final = re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d{1,40})(?:\.\d{1,40})?|[+-]?\.\d{1,40}")


class Number:
    """One number in decimal notation; see :class:`~mainstay.shaping.port.Form`."""

    def __init__(self, minimum: Decimal | None = None, maximum: Decimal | None = None, *, whole: bool = False) -> None:
        self._minimum = minimum
        self._maximum = maximum
        self._whole = whole

    def words(self) -> str:
        """Return what to tell a model."""
        bounds = [f"at least {self._minimum}"] if self._minimum is not None else []
        bounds += [f"at most {self._maximum}"] if self._maximum is not None else []
        kind = "whole number" if self._whole else "number"
        return f"Answer with one {' '.join([kind, *[' and '.join(bounds)]]).strip()} in digits and nothing else."

    def settle(self, text: str, *, cut: bool = False) -> str:
        """Return the digits, without commas between thousands and without a plus sign."""
        if cut:
            raise Misfit(CUT)
        digits = bare(text)
        if not _NUMBER.fullmatch(digits):
            raise Misfit(Flaw("The answer is not one number in digits.", rule="number"))
        digits = digits.replace(",", "").removeprefix("+")
        value = Decimal(digits)
        if self._whole and value != value.to_integral_value():
            raise Misfit(Flaw("The answer is not a whole number.", rule="integer"))
        if self._minimum is not None and value < self._minimum:
            raise Misfit(Flaw(f"The answer is below {self._minimum}.", rule="minimum"))
        if self._maximum is not None and value > self._maximum:
            raise Misfit(Flaw(f"The answer is above {self._maximum}.", rule="maximum"))
        return digits
