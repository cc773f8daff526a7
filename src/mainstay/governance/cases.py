"""Cases of usage policies: who asks what of which model, and what must come of it. Read, run, and told as JUnit.

Pure: text in, values out. Knows neither files nor how results are shown.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Final, Literal
from xml.etree.ElementTree import Element, SubElement, tostring

import msgspec
import yaml
from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from mainstay.core.config import Section
from mainstay.core.errors import ConfigError
from mainstay.governance.policy import Asking, Decision, Policies
from mainstay.identity.roles import DEFAULT_ORGANISATION

__all__ = ["NOTHING", "Case", "CaseConfig", "Outcome", "junit", "read_cases", "run"]


def _some(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


_Some = Annotated[tuple[str, ...], BeforeValidator(_some)]
#: What ``because`` says where no policy decided: none permits it.
NOTHING: Final = "nothing"


class CaseConfig(Section):
    """One case."""

    name: str = ""
    """What it shows, in a sentence; absent, what it asks."""

    key: str = Field(min_length=1)
    """The name of the key that asks."""

    team: str = ""
    """The key's team."""

    organisation: str = DEFAULT_ORGANISATION
    """The key's organisation."""

    user: str = ""
    """The end user that the key asks for."""

    route: str = ""
    """The route that is asked."""

    model: str
    """The row of ``models`` that is to answer."""

    operation: str = "chat"
    """What is asked: ``chat``, ``embeddings``."""

    purpose: str = ""
    """What it is for."""

    data: _Some = ()
    """What the rails have found and let out."""

    masked: _Some = ()
    """What they have found and masked."""

    checked: _Some | None = None
    """What they have looked for; absent, what stands in ``data`` and ``masked``."""

    expect: Literal["permit", "deny"]
    """What must come of it."""

    because: _Some = ()
    """Policies that must have decided it, by their ids; ``nothing``: none permits it. Absent, any."""


class Case(msgspec.Struct, frozen=True):
    """A case with the file it stands in."""

    file: str
    title: str
    asking: Asking
    model: str
    expect: Literal["permit", "deny"]
    because: tuple[str, ...] = ()


class Outcome(msgspec.Struct, frozen=True):
    """What came of a case; ``fault`` is "" where it is as expected."""

    case: Case
    decision: Decision
    fault: str = ""


_read = TypeAdapter(list[CaseConfig])


def read_cases(file: str, text: str) -> list[Case]:
    """Return the cases of a file.

    Raises:
        ConfigError: it is no list of cases; the message says which is wrong, and how.
    """
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}" if mark is not None else ""
        raise ConfigError(
            f"{file}{where}: is not YAML: {getattr(error, 'problem', None) or 'it cannot be read'}"
        ) from None
    try:
        rows = _read.validate_python(found or [])
    except ValidationError as error:
        lines = []
        for flaw in error.errors(include_url=False, include_input=False):
            place = ".".join(str(part) for part in flaw["loc"][1:])
            number = f"case {int(flaw['loc'][0]) + 1}" if flaw["loc"] else "the file"
            lines.append(f"{file}: {number}{f', {place}' if place else ''}: {flaw['msg'].lower()}")
        raise ConfigError("\n".join(lines)) from None
    return [_case(file, row) for row in rows]


def _case(file: str, row: CaseConfig) -> Case:
    data, masked = frozenset(row.data), frozenset(row.masked)
    checked = data | masked if row.checked is None else frozenset(row.checked)
    asking = Asking(
        row.key,
        row.team,
        row.organisation,
        row.route,
        row.operation,
        row.purpose,
        row.user,
        data,
        masked,
        checked,
    )
    told = [*(f"team {row.team}" for _ in row.team[:1]), *(f"for {row.purpose}" for _ in row.purpose[:1])]
    told += [f"with {', '.join(sorted(data))}"] if data else []
    return Case(
        file, row.name or " ".join((row.key, "asks", row.model, *told)), asking, row.model, row.expect, row.because
    )


def run(policies: Policies, cases: Iterable[Case]) -> list[Outcome]:
    """Decide every case, and say where it comes out otherwise than expected."""
    return [_outcome(policies, case) for case in cases]


def _outcome(policies: Policies, case: Case) -> Outcome:
    if case.model not in policies.models:
        return Outcome(case, Decision(False), f"there is no model '{case.model}'")
    decision = policies.decide(case.asking, case.model)
    came = "permit" if decision.permitted else "deny"
    named = decision.policies or (NOTHING,)
    if came != case.expect:
        return Outcome(case, decision, f"expected {case.expect}, and it is {came} because of {', '.join(named)}")
    missing = [name for name in case.because if name not in named]
    if missing:
        return Outcome(case, decision, f"expected because of {', '.join(missing)}, and it is of {', '.join(named)}")
    return Outcome(case, decision)


def junit(outcomes: Sequence[Outcome]) -> bytes:
    """Return a report in JUnit's XML, as programs that run tests read it."""
    failures = sum(bool(one.fault) for one in outcomes)
    counts = {"tests": str(len(outcomes)), "failures": str(failures), "errors": "0", "skipped": "0"}
    root = Element("testsuites", counts)
    by_file: dict[str, list[Outcome]] = {}
    for one in outcomes:
        by_file.setdefault(one.case.file, []).append(one)
    for file, some in by_file.items():
        failed = sum(bool(one.fault) for one in some)
        counts = {"tests": str(len(some)), "failures": str(failed), "errors": "0", "skipped": "0"}
        suite = SubElement(root, "testsuite", {"name": _clean(file), **counts})
        for one in some:
            row = SubElement(suite, "testcase", {"name": _clean(one.case.title), "classname": _clean(file)})
            if one.fault:
                SubElement(row, "failure", {"message": _clean(one.fault)})
    written: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _clean(text: str) -> str:
    """Return a text without what XML has no way to say."""
    return "".join(c if c.isprintable() else " " for c in text)
