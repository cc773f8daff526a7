"""Policies as they are written: files of Cedar, cut into policies, and what is wrong with one, by file and line.

Cedar itself says neither where a policy begins nor in which line it is broken, and gives policies numbers; here each
has the name of its ``@id``, or else of its place. Knows no call and decides nothing; the library is loaded when
something is to be read, and not before.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from mainstay.core.errors import StartError

if TYPE_CHECKING:
    from cedarpy import Schema

__all__ = [
    "MISSING",
    "SCHEMA",
    "STARTER",
    "Flaw",
    "Policy",
    "PolicyText",
    "find_flaws",
    "is_installed",
    "open_schema",
    "read_policies",
]

MISSING: Final = "needs a package that is not installed; run: pip install 'mainstay[policy]'"
#: What permits all that no other policy forbids.
STARTER: Final = "permit(principal, action, resource);"
#: What policies can speak of.
SCHEMA: Final = """\
// An organisation, a team of it, and a key of either: by their names.
entity Organisation;
entity Team in [Organisation];
entity Key in [Team, Organisation];

// The end user that the caller says it asks for: context.user.
entity User;

// A row of `models:`, by its name. What nobody has said is "", and for retention and training the worst.
entity Model {
  provider: String,       // the row of `providers:`
  vendor: String,         // who sells it: "openai", "anthropic", "aws.bedrock"
  region: String,         // where it computes: "eu-central-1"
  country: String,        // under whose law its vendor is: "US"
  local: Bool,            // on machines of your own
  open_weights: Bool,
  retention_days: Long,   // how long its vendor keeps what is sent; 36525 when nobody has said
  trains: Bool,           // whether its vendor may train on it
};

action ask appliesTo {
  principal: [Key],
  resource: [Model],
  context: {
    route: String,
    operation: String,    // "chat", "embeddings"
    purpose: String,      // what the route or the caller says it is for, or ""
    user: User,           // User::"" when the caller names none
    data: Set<String>,    // what the rails found and lets out: "personal" and "email", "secrets" and "api_key"
    masked: Set<String>,  // what they found and masked or replaced
    checked: Set<String>, // what was looked for
  },
};
"""

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|[A-Za-z_][A-Za-z0-9_]*|[0-9]+|::|==|!=|<=|>=|&&|\|\||\S')
_QUOTED: Final = re.compile(r"`([^`]+)`")
_ENDED: Final = "unexpected end of input"
#: How Cedar calls policies, with their number from 0 behind it.
_NUMBERED: Final = "policy"


class PolicyText(msgspec.Struct, frozen=True):
    """A file of policies: its path, and what stands in it."""

    path: str
    text: str

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.path.replace("\\", "/").rpartition("/")[2]


class Flaw(NamedTuple):
    """What is wrong with a policy; ``line`` counts from 1."""

    path: str
    line: int
    message: str


class Policy(msgspec.Struct, frozen=True):
    """One policy: its name, whether it permits, what to tell who it keeps out (``@advice``), and where it stands.

    ``principal`` (``Team::kids``) and ``resource`` (``Model::gpt``) are what its head limits it to; "" for nothing.
    """

    id: str
    permits: bool
    advice: str
    path: str
    line: int
    text: str
    principal: str = ""
    resource: str = ""

    def called(self, name: str) -> str:
        """Return it under another id, which must be plain letters and digits, without what else is noted of it."""
        before = ""
        for token in _TOKEN.finditer(self.text):
            if token[0] in ("permit", "forbid") and before != "@":
                return f'@id("{name}") {self.text[token.start() :]}'
            if not token[0].startswith("//"):
                before = token[0]
        raise ValueError(f"the policy '{self.id}' neither permits nor forbids")


def is_installed() -> bool:
    """Return whether the package is there, without loading it."""
    return find_spec("cedarpy") is not None


@cache
def open_schema() -> "Schema":
    """Return :data:`SCHEMA` as the library has it.

    Raises:
        StartError: the package is not installed.
    """
    try:
        from cedarpy import Schema
    except ImportError:
        raise StartError(f"'policies' {MISSING}.") from None
    return Schema.from_str(SCHEMA)


def read_policies(texts: Iterable[PolicyText]) -> list[Policy]:
    """Return every policy, in order.

    Raises:
        StartError: the package is not installed.
        ValueError: something is wrong; :func:`find_flaws` says what and where.
    """
    return [policy for file in texts for policy in _read(file, list(_pieces(file.text)))]


def find_flaws(texts: Sequence[PolicyText]) -> Iterator[Flaw]:
    """Yield what is wrong with policies: what does not parse, what the schema does not know, names given twice.

    Raises:
        StartError: the package is not installed.
    """
    schema = open_schema()
    seen: dict[str, Policy] = {}
    for file in texts:
        pieces = list(_pieces(file.text))
        try:
            policies = _read(file, pieces)
        except ValueError:
            yield _broken(file, pieces)
            continue
        yield from _unknown(file, policies, schema)
        for policy in policies:
            first = seen.setdefault(policy.id, policy)
            if first is not policy:
                where = f"{first.path.rpartition('/')[2]}:{first.line}"
                yield Flaw(file.path, policy.line, f"has the id '{policy.id}', as the policy of {where} has")


def _unknown(file: PolicyText, policies: Sequence[Policy], schema: "Schema") -> Iterator[Flaw]:
    from cedarpy import validate_policies

    if not policies:
        return
    for error in validate_policies(file.text, schema).errors:
        policy = policies[int(error.policy_id[len(_NUMBERED) :])]
        message = error.error.removeprefix(f"for policy `{error.policy_id}`, ")
        spots = [policy.text.find(name) for name in _QUOTED.findall(message)]
        spot = next((at for at in spots if at >= 0), 0)
        yield Flaw(policy.path, policy.line + policy.text[:spot].count("\n"), message)


def _broken(file: PolicyText, pieces: Sequence[tuple[int, str]]) -> Flaw:
    """Return what is wrong with the first policy of a file that is none; what follows would be told of wrongly."""
    for line, piece in pieces:
        try:
            _read(file, [(line, piece)], piece)
        except ValueError as error:
            return Flaw(file.path, line + _broken_at(piece), f"is no policy: {error}")
    return Flaw(file.path, 1, "is no file of policies")


def _read(file: PolicyText, pieces: Sequence[tuple[int, str]], text: str | None = None) -> list[Policy]:
    """Return the policies of a file, or of the part ``text`` of it, which is cut into ``pieces``."""
    try:
        from cedarpy import PolicySet, policies_to_json_str
    except ImportError:
        raise StartError(f"'policies' {MISSING}.") from None
    text = file.text if text is None else text
    PolicySet.from_str(text)  # Says in one sentence what is wrong; the next line would say it in many.
    read = json.loads(policies_to_json_str(text))
    if read["templates"]:
        raise ValueError("it has a ?slot; write out whom and what it is about")
    rows = read["staticPolicies"]
    if len(rows) != len(pieces):
        raise ValueError("it does not end where it seems to")
    return [_policy(file, line, piece, rows[f"{_NUMBERED}{at}"]) for at, (line, piece) in enumerate(pieces)]


def _policy(file: PolicyText, line: int, piece: str, row: dict[str, Any]) -> Policy:
    notes = row.get("annotations") or {}
    name = notes.get("id") or f"{file.name}:{line}"
    advice = notes.get("advice") or ""
    heads = (_limit(row["principal"]), _limit(row["resource"]))
    return Policy(name, row["effect"] == "permit", advice, file.path, line, piece, *heads)


def _limit(head: dict[str, Any]) -> str:
    """Return what ``principal`` or ``resource`` must be or be in, "" where it may be any."""
    entity = (head.get("in") or head).get("entity")
    return f"{entity['type']}::{entity['id']}" if entity else ""


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """Yield each policy of a file with the line that it begins in; a rest that no ``;`` ends, too."""
    start: int | None = None
    end = counted = 0
    line = 1
    for token in _TOKEN.finditer(text):
        if token[0].startswith("//"):
            continue
        if start is None:
            start = token.start()
            line += text.count("\n", counted, start)
            counted = start
        end = token.end()
        if token[0] == ";":
            yield line, text[start:end]
            start = None
    if start is not None:
        yield line, text[start:end]


def _broken_at(piece: str) -> int:
    """Return how many lines after its first a policy is broken: where more of it no longer helps."""
    from cedarpy import PolicySet

    ends = [token.end() for token in _TOKEN.finditer(piece) if not token[0].startswith("//")]
    low, high = 0, len(ends) - 1
    while low < high:
        middle = (low + high) // 2
        try:
            PolicySet.from_str(piece[: ends[middle]])
            hopeful = True
        except ValueError as error:
            hopeful = str(error) == _ENDED
        low, high = (middle + 1, high) if hopeful else (low, middle)
    return piece.count("\n", 0, ends[low])
