"""What a form is: something an answer's text must be, that says so to a model and judges what came."""

from typing import Protocol

import msgspec

__all__ = ["Flaw", "Form", "Misfit"]


class Flaw(msgspec.Struct, frozen=True):
    """One thing that is wrong with an answer.

    ``path`` is a JSON Pointer into the answer, "" for the whole. ``problem`` is for the model and the caller and may
    repeat words of the answer; ``rule`` is the rule that was broken, in one word, and is all that a record may keep.
    """

    problem: str
    path: str = ""
    rule: str = "form"


class Misfit(Exception):
    """An answer that is not of the form; ``flaws`` says why, the most telling first."""

    def __init__(self, *flaws: Flaw) -> None:
        super().__init__(flaws[0].rule)
        self.flaws = flaws


class Form(Protocol):
    """A form that an answer's text must have. Pure: values in, values out."""

    def words(self) -> str:
        """Return what to tell a model so that it answers in this form."""
        ...

    def settle(self, text: str, *, cut: bool = False) -> str:
        """Return ``text`` as it may be handed on: itself, or what is provably the same value in this form.

        ``cut``: the answer ended at a limit of tokens.

        Raises:
            Misfit: it is not of this form.
        """
        ...
