"""``routes.X.language`` in the configuration: what is done with the language of a request."""

import difflib
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from mainstay.core.config import Name, Section
from mainstay.guardrails.iso639 import LANGUAGES

__all__ = ["LanguageConfig"]


def _language(value: str) -> str:
    if value in LANGUAGES:
        return value
    # People write zh-CN, pt_BR, EN and german.
    base = value.replace("_", "-").partition("-")[0].lower()
    names = {name.lower(): code for code, name in LANGUAGES.items()}
    near = base if base in LANGUAGES else names.get(base)
    if near is None:
        close = difflib.get_close_matches(value.lower(), names, 1)
        near = names[close[0]] if close else None
    hint = f"; did you mean {near}?" if near else ", such as en or de; the guide lists them"
    raise ValueError(f"is no language that is told apart: write its code of ISO 639{hint}")


_Code = Annotated[str, AfterValidator(_language)]
_Text = Annotated[str, Field(min_length=1, max_length=1000)]


class LanguageConfig(Section):
    """What is done with the language that the user writes in, by its code of ISO 639 (``en``, ``ja``). Empty, ``{}``:
    it is found and recorded, nothing more."""

    allow: tuple[_Code, ...] | None = Field(default=None, min_length=1)
    """The languages that may be used; absent, every one. Others are refused with ``language_not_allowed``."""

    unknown: Literal["allow", "refuse"] = "allow"
    """What becomes of a request whose language is not known (too short, of several languages, code), where ``allow``
    names some."""

    refuse: _Text | dict[_Code, _Text] | None = None
    """What a refusal says: one text, or one for each language that is refused. Absent, or without a text for the
    language, a sentence in English that names the languages that may be used."""

    targets: dict[_Code, Name] = {}
    """Models to ask first, by language: each a row of ``models``. The route's own targets and fallbacks come after."""

    prompts: dict[_Code, Name] = {}
    """Prompts to use instead of the route's own, by language: each a row of ``prompts``."""

    @model_validator(mode="after")
    def _reachable(self) -> "LanguageConfig":
        if self.allow is None:
            if self.unknown == "refuse" or self.refuse is not None:
                raise ValueError("refuses nothing without 'allow'; name there the languages that may be used")
            return self
        for field in ("targets", "prompts"):
            for code in getattr(self, field):
                if code not in self.allow:
                    raise ValueError(
                        f"'{field}.{code}' is never used, since 'allow' does not name {code}; add it there"
                    )
        if isinstance(self.refuse, dict):
            for code in self.refuse:
                if code in self.allow:
                    raise ValueError(f"'refuse.{code}' is never said, since 'allow' names {code}; take one of them out")
        return self
