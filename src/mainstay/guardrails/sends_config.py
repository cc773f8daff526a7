"""``routes.X.sends`` in the configuration: which tools send data out, and when a model may call them."""

from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from mainstay.core.config import Section

__all__ = ["SendRuleConfig", "SendsConfig"]

_WILD = frozenset("*?[")


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _host(value: str) -> str:
    bare = value.strip().lower()
    if "://" in bare or "/" in bare or "@" in bare:
        raise ValueError("is a host or a pattern of hosts, without scheme, path or user: *.example.com")
    return bare


_Pattern = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^\S+$")]
_Patterns = Annotated[tuple[_Pattern, ...], Field(max_length=200), BeforeValidator(_one_or_many)]
_Host = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^\S+$"), AfterValidator(_host)]


class SendRuleConfig(Section):
    """What is done when a tool that sends is called after untrusted content; of several rules the first that fits."""

    tool: _Pattern
    """The tool, by its name or a pattern: ``send_email``, ``mail__*``."""

    do: Literal["allow", "refuse", "human"] = "allow"
    """What is done: the call passes, is refused, or waits for a person."""

    after: Annotated[_Patterns, Field(min_length=1)] = ("*",)
    """After content from where: names or patterns of tools, and ``retrieved`` for documents and searches. It allows
    only if all that was read is of these, and stops if something is."""

    to: Annotated[tuple[_Host, ...], Field(max_length=200), BeforeValidator(_one_or_many)] = ()
    """Where it may go: the rule holds only if the arguments name a host, of an address or bare, and none but such:
    ``*.example.com``. Absent, anywhere."""


class SendsConfig(Section):
    """After content that nobody vouches for, a tool that sends data out needs a rule that allows it."""

    tools: Annotated[dict[_Pattern, bool], Field(max_length=1000)] = {}
    """Whether a tool sends data out, by its name or a pattern; a name counts before patterns, of these the first that
    fits: ``{send_email: true, read_*: false}``."""

    unknown: Literal["sends", "harmless"] = "sends"
    """What tools are that ``tools`` does not name."""

    trusted: _Patterns = ()
    """What is vouched for: tools whose results and descriptions are as good as the user's own words, and ``retrieved``
    for documents."""

    rules: Annotated[tuple[SendRuleConfig, ...], Field(max_length=500)] = ()
    """What is done nevertheless, in the order in which it counts."""

    otherwise: Literal["refuse", "human", "allow"] = "refuse"
    """What is done where no rule fits."""

    mode: Literal["enforce", "monitor"] = "enforce"
    """``monitor`` notes what would be done and does nothing."""

    mark: bool = True
    """Put marks around untrusted text that nobody outside can forge, and tell the model that it is data."""

    @model_validator(mode="after")
    def _reachable(self) -> "SendsConfig":
        stops = self.otherwise != "allow" or any(rule.do != "allow" for rule in self.rules)
        if not stops and not self.mark:
            raise ValueError("stops nothing: no rule refuses, and 'otherwise' allows; leave out `otherwise: allow`")
        for number, rule in enumerate(self.rules):
            self._check(number, rule)
        return self

    def _check(self, number: int, rule: SendRuleConfig) -> None:
        where = f"'rules[{number}]' for '{rule.tool}' is never used"
        if not self._may_send(rule.tool):
            raise ValueError(f"{where}, since '{rule.tool}' sends nothing; write `{rule.tool}: true` under 'tools'")
        for earlier, other in enumerate(self.rules[:number]):
            if not other.to and "*" in other.after and _covers(other.tool, rule.tool):
                raise ValueError(f"{where}, since 'rules[{earlier}]' always fits before it; put it first")
        for source in rule.after:
            if not _WILD & set(source) and any(fnmatchcase(source, one) for one in self.trusted):
                raise ValueError(f"{where} after '{source}', which 'trusted' names; take it out of one of them")

    def _may_send(self, tool: str) -> bool:
        """Return whether a tool, or one that fits a pattern, may be one that sends."""
        if tool in self.tools:
            return self.tools[tool]
        if _WILD & set(tool):
            return self.unknown == "sends" or any(self.tools.values())
        for pattern, sends in self.tools.items():
            if fnmatchcase(tool, pattern):
                return sends
        return self.unknown == "sends"


def _covers(pattern: str, other: str) -> bool:
    """Return whether what fits ``other`` is sure to fit ``pattern``."""
    return pattern in ("*", other) or (not _WILD & set(other) and fnmatchcase(other, pattern))
