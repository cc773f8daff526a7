"""``routes.X.language`` and ``routes.X.rails`` in the configuration: what may enter, and what may leave."""

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from mainstay.core.config import Name, Section
from mainstay.guardrails.iso639 import LANGUAGES
from mainstay.guardrails.rails import Action

__all__ = ["LanguageConfig", "RailConfig", "RouteTo", "kinds_of", "needs_guards"]


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


What = Literal[
    "personal", "secrets", "injection", "moderation", "profanity", "refusal", "words", "pattern", "canary", "novelty",
    "topics",
]  # fmt: skip
Where = Literal["input", "retrieved", "tool_result", "output"]

_ASKED: tuple[Where, ...] = ("input", "retrieved", "tool_result")
_ALL: tuple[Where, ...] = (*_ASKED, "output")
#: Where a rail looks when its row does not say.
_PLACES: Mapping[str, tuple[Where, ...]] = {
    "personal": _ASKED,
    "secrets": _ALL,
    "injection": _ASKED,
    "moderation": ("input", "output"),
    "profanity": ("input", "output"),
    "refusal": ("output",),
    "words": _ALL,
    "pattern": _ALL,
    "canary": ("output",),
    "novelty": ("input",),
    "topics": ("input",),
}
#: What judges a text as a whole and knows no places in it.
_JUDGED = frozenset({"moderation", "profanity", "refusal", "novelty", "topics"})
_KINDS: Mapping[str, frozenset[str]] = {
    "injection": frozenset({"injection"}),
    "moderation": frozenset({"harassment", "hate", "illicit", "self_harm", "sexual", "threat", "violence"}),
    "profanity": frozenset({"profanity"}),
    "refusal": frozenset({"refusal", "partial_refusal"}),
    "words": frozenset({"word"}),
    "pattern": frozenset({"pattern"}),
    "canary": frozenset({"prompt_leak"}),
    "novelty": frozenset({"novel"}),
}
#: What can still be done once a model has answered.
_ON_OUTPUT = frozenset({"block", "mask", "flag"})


def kinds_of(what: What, method: str = "model") -> frozenset[str]:
    """Return what a rail can find: the kinds of its scanner, or the heads of its judge."""
    # What knows its kinds is imported with the first rail: most configurations have none.
    if what == "personal":
        from mainstay.guardrails.personal.config import Kind

        return frozenset(get_args(Kind))
    if what == "secrets":
        from mainstay.guardrails.secrets.rules import all_rules

        return frozenset(rule.kind for rule in all_rules()) | {"private_key"}
    if what == "injection" and method == "rules":
        from mainstay.guardrails.injection.rules import KINDS

        return frozenset(KINDS)
    return _KINDS[what]


def needs_guards(what: str, method: str) -> bool:
    """Return whether a rail judges with models of ours, for which packages are needed."""
    return what in _JUDGED or (what == "injection" and method != "rules")


class RouteTo(Section):
    """Has another model answer."""

    route: Name
    """The model to ask first, a row of ``models``; the route's own come after."""


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _bounded(value: str) -> str:
    from mainstay.guardrails.patterns import check_pattern

    check_pattern(value)
    return value


_Word = Annotated[str, Field(min_length=1, max_length=160, pattern=r"\S")]
_Pattern = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_bounded)]
_Topic = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
_Phrases = Annotated[tuple[_Word, ...], Field(min_length=1, max_length=200)]
_Part = Annotated[float, Field(ge=0, le=1)]


class RailConfig(Section):
    """One rail: what is looked for, where, and what is done with what is found."""

    what: What
    """What is looked for. ``personal``, ``secrets``, ``words``, ``pattern`` and ``canary`` (the system prompt in an
    answer) find places in a text; ``moderation``, ``profanity`` and ``refusal`` judge it whole, with small models of
    ours (``pip install 'mainstay[guards]'``), as does ``injection`` unless ``method`` is ``rules``. ``novelty`` says
    how unlike the route's history the user's last words are, once ``mainstay novelty fit`` has read it; ``topics``
    whether a text is of a topic that ``deny`` names, or of none that ``allow`` does."""

    where: Annotated[tuple[Where, ...], BeforeValidator(_one_or_many)] = ()
    """Which texts: ``input`` (what the caller sends in its own name, the conversation so far included), ``retrieved``
    (documents), ``tool_result``, ``output`` (answers, with reasoning and the arguments of tools). One or several;
    absent, those that suit ``what`` and ``do``."""

    do: Literal["block", "mask", "pseudonymise", "flag", "annotate", "human"] | RouteTo
    """What is done: ``block`` refuses the call, ``mask`` puts the kind in the place of what was found,
    ``pseudonymise`` a name that is turned back in the answer, ``flag`` only notes it, ``annotate`` tells the model that
    the text is suspicious, ``human`` holds the call until a person has allowed it, and ``{route: MODEL}`` has another
    model answer."""

    mode: Literal["enforce", "monitor"] = "enforce"
    """``monitor`` notes what would be done and does nothing."""

    failure: Literal["closed", "open"] = "closed"
    """What becomes of a call whose text cannot be looked at: refused, or let through. A rail that only flags refuses
    nothing."""

    method: Literal["model", "rules"] = "model"
    """How ``injection`` is found: by a model, or by rules of how attacks are built, which need no package, take a
    fraction of a millisecond and know the place, and find less."""

    kinds: tuple[Annotated[str, Field(min_length=1, max_length=60)], ...] = ()
    """The kinds that count (``email``, ``hate``); absent, the usual ones of ``what``."""

    threshold: _Part | None = None
    """How sure a finding must be; absent, what was measured to be worth acting on."""

    thresholds: dict[str, _Part] = {}
    """The same by kind, for ``moderation`` and the like: ``{hate: 0.3}``."""

    words: Annotated[tuple[_Word, ...], Field(max_length=2000)] = ()
    """For ``words``: whole words and phrases; case does not matter."""

    patterns: Annotated[tuple[_Pattern, ...], Field(max_length=100)] = ()
    """For ``pattern``: regular expressions as Python reads them, each of a bounded length (``\\d{1,20}``, not
    ``\\d+``)."""

    allow: dict[_Topic, _Phrases] = {}
    """For ``topics``: those that the route is for, each with some phrases as users write them. What is near to none is
    ``off_topic``."""

    deny: dict[_Topic, _Phrases] = {}
    """For ``topics``: those that the route is not for; found as ``deny:NAME``."""

    images: bool = False
    """Look at the words in images too, read on this machine (``pip install 'mainstay[modalities]'``). An image that
    cannot be read, such as a mere address, is a text that cannot be looked at. What would be masked or hidden in an
    image takes the image out."""

    style: Literal["typed", "realistic"] = "typed"
    """What pseudonyms look like: ``PERSON_k7q2m9xd``, or invented names and addresses where there are such."""

    reply: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    """What a refusal says; absent, a sentence that names the rail and what it found."""

    @property
    def action(self) -> Action:
        """What is done, in a word."""
        return "route" if isinstance(self.do, RouteTo) else self.do

    @property
    def judged(self) -> bool:
        """Whether a text is judged as a whole."""
        return needs_guards(self.what, self.method)

    @property
    def found(self) -> frozenset[str]:
        """The kinds of what it can find."""
        if self.what == "topics":
            from mainstay.guardrails.topics import OFF_TOPIC, denied

            return frozenset((*map(denied, self.deny), *([OFF_TOPIC] if self.allow else [])))
        return kinds_of(self.what, self.method)

    @property
    def places(self) -> tuple[Where, ...]:
        """Where it looks."""
        usual = _PLACES[self.what]
        return self.where or tuple(one for one in usual if one != "output" or self.action in _ON_OUTPUT)

    @model_validator(mode="after")
    def _possible(self) -> "RailConfig":
        what, action = self.what, self.action
        if self.judged and action in ("mask", "pseudonymise"):
            other = "; `method: rules` knows places" if what == "injection" else "; block or flag it"
            raise ValueError(f"'{what}' judges a text as a whole and knows no place to {action}{other}")
        if action == "pseudonymise" and what in ("canary", "injection"):
            raise ValueError(f"'{what}' finds no value that could be turned back in the answer; mask or block it")
        if "output" in self.where and action not in _ON_OUTPUT:
            raise ValueError(f"an answer can be blocked, masked or flagged; '{action}' is for what a model is asked")
        if what in ("refusal", "canary") and set(self.where) - {"output"}:
            raise ValueError(f"'{what}' is found in answers; leave out 'where', or write `where: output`")
        if what == "novelty" and set(self.where) - {"input"}:
            raise ValueError("'novelty' is of what the user asks; leave out 'where', or write `where: input`")
        if not self.places:
            raise ValueError(f"'{what}' is found in answers, which can be blocked, masked or flagged; not '{action}'")
        if len(set(self.where)) != len(self.where):
            raise ValueError("'where' names a place twice; name it once")
        self._check_fields()
        self._check_kinds()
        return self

    def _check_fields(self) -> None:
        """Refuse fields that this rail would not read, and ask for those it needs."""
        for what, field in (("words", "words"), ("pattern", "patterns")):
            if self.what == what and not getattr(self, field):
                raise ValueError(f"'{what}' looks for what '{field}' names; add it")
            if self.what != what and getattr(self, field):
                raise ValueError(f"'{field}' is read with `what: {what}` only; leave it out")
        if self.what == "topics" and not (self.allow or self.deny):
            raise ValueError("'topics' judges by what 'allow' or 'deny' names; add one")
        if self.what != "topics" and (self.allow or self.deny):
            raise ValueError("'allow' and 'deny' are read with `what: topics` only; leave them out")
        if self.images and (self.what == "novelty" or not set(self.places) & {"input", "tool_result"}):
            raise ValueError("'images' come in what is sent and from tools; leave it out, or look there")
        if self.method == "rules" and self.what != "injection":
            raise ValueError("'method' is read with `what: injection` only; leave it out")
        if self.thresholds and not self.judged:
            raise ValueError("'thresholds' are for what judges a text as a whole; write one 'threshold'")
        if self.style != "typed" and self.action != "pseudonymise":
            raise ValueError("'style' is how pseudonyms look; leave it out, or write `do: pseudonymise`")
        if self.reply is not None and self.action not in ("block", "human"):
            raise ValueError("'reply' is what a refusal says; leave it out, or write `do: block`")

    def _check_kinds(self) -> None:
        known = self.found
        for field, names in (("kinds", self.kinds), ("thresholds", self.thresholds)):
            for name in names:
                if name not in known:
                    close = difflib.get_close_matches(name, known, 1)
                    hint = f"did you mean {close[0]}?" if close else f"it finds {', '.join(sorted(known))}"
                    raise ValueError(f"'{field}' names '{name}', which '{self.what}' does not find; {hint}")
                if field == "thresholds" and self.kinds and name not in self.kinds:
                    raise ValueError(f"'thresholds.{name}' is never used, since 'kinds' does not name it; add it there")
