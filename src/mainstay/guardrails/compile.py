"""From the rows of ``routes.X.rails`` to rails that can look: scanners and judges, opened once and shared.

Knows the configuration and what stands behind the ports; neither prompts nor the line.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, get_args

from mainstay.core.errors import StartError
from mainstay.guardrails.canary import CanaryScanner
from mainstay.guardrails.config import RailConfig, RouteTo
from mainstay.guardrails.injection.scanner import InjectionScanner
from mainstay.guardrails.looking import Memory
from mainstay.guardrails.models import open_guard
from mainstay.guardrails.novelty_rail import NoveltyJudge, open_novelty, reference_path
from mainstay.guardrails.patterns import pattern_scanner, word_scanner
from mainstay.guardrails.personal import PersonalConfig, open_personal
from mainstay.guardrails.personal.config import DEFAULT_KINDS, Kind
from mainstay.guardrails.port import Finding, Judge, Scanner
from mainstay.guardrails.pseudonyms import Style
from mainstay.guardrails.rails import Place, Rail
from mainstay.guardrails.secrets import KeyBlocks, SecretScanner
from mainstay.guardrails.secrets.scanner import owned
from mainstay.guardrails.topics import THRESHOLDS, open_topics

__all__ = ["Instruments", "Railing", "compile_rails"]

#: Kinds of personal data that need the model of names.
_NAMED: Final = frozenset({"person", "place", "organisation", "nationality", "address"})
_UNTRUSTED: Final[frozenset[Place]] = frozenset({"retrieved", "tool_result"})


class Railing:
    """All rails of a route, in the order of their writing, and what of them every call asks.

    Args:
        rails: the rails.
        style: what pseudonyms look like.
        canary: the word in the system prompt that must not turn up in answers; "" for none.
    """

    def __init__(self, rails: Sequence[Rail] = (), style: Style = "typed", canary: str = "") -> None:
        self.rails = tuple(rails)
        self.style: Style = style
        self.canary = canary
        #: Those that look at what a model is asked, and those that look at answers.
        self.asked = tuple(rail for rail in self.rails if rail.where - {"output"})
        self.answered = tuple(rail for rail in self.rails if "output" in rail.where)
        #: By number in ``asked``: judges whose word counts, and judges who only take note.
        judging = [(number, rail) for number, rail in enumerate(self.asked) if rail.judge is not None]
        self.acting = tuple(number for number, rail in judging if rail.acts)
        self.noting = tuple(number for number, rail in judging if not rail.acts)
        #: Rails that hide values, whether what comes to a model later is looked at, and whether the user's last words
        #: are.
        self.hiding = tuple(rail for rail in self.asked if rail.do == "pseudonymise" and rail.enforce)
        self.tools = bool(self.hiding) or any(rail.where & _UNTRUSTED for rail in self.asked)
        self.novelty = any(rail.what == "novelty" for rail in self.asked)
        self.annotates = any(rail.do == "annotate" for rail in self.asked)
        self.images = any(rail.images for rail in self.asked)
        #: Whether all untrusted text is marked, and whether tools are run that bring more of it.
        self.marks = self.runs = False

    def mark_untrusted(self, *, runs: bool) -> None:
        """Have all untrusted text marked; ``runs`` is whether tools are run for the route's models."""
        self.marks = self.tools = self.annotates = True
        self.runs = runs


class Instruments:
    """What looks, for all routes of a worker: loaded with the first rail that needs it, and once.

    Args:
        home: the folder Mainstay writes to, where the histories of routes lie.
        guard: opens one of our judges by its name.
    """

    def __init__(self, home: Path, guard: Callable[[str], Judge] = open_guard) -> None:
        self._home = home
        self._guard = guard
        self._personal: dict[tuple[Kind, ...], Scanner] = {}
        self._secrets: Scanner | None = None
        self._injection: dict[bool, Scanner] = {}
        self._judges: dict[str, Memory] = {}

    def personal(self, kinds: Sequence[str] = ()) -> Scanner:
        """Return what finds personal data of ``kinds``, the usual ones where there are none."""
        wanted = tuple(kind for kind in get_args(Kind) if kind in (kinds or DEFAULT_KINDS))
        found = self._personal.get(wanted)
        if found is None:
            config = PersonalConfig(kinds=wanted, names=not _NAMED.isdisjoint(wanted))
            found = self._personal[wanted] = open_personal(config)
        return found

    def secrets(self) -> Scanner:
        """Return what finds secrets, private keys of many lines among them."""
        if self._secrets is None:
            self._secrets = _Secrets()
        return self._secrets

    def injection(self, *, untrusted: bool) -> Scanner:
        """Return the rules that find injections."""
        found = self._injection.get(untrusted)
        if found is None:
            found = self._injection[untrusted] = InjectionScanner(untrusted=untrusted)
        return found

    def judge(self, name: str) -> Memory:
        """Return one of our judges, which remembers what it has judged.

        Raises:
            StartError: packages are missing.
        """
        found = self._judges.get(name)
        if found is None:
            found = self._judges[name] = Memory(self._guard(name))
        return found

    def novelty(self, route: str, threshold: float | None) -> NoveltyJudge:
        """Return what compares with the history of a route.

        Raises:
            StartError: there is none, or packages are missing.
        """
        return open_novelty(reference_path(self._home, route), threshold)


class _Secrets:
    """Both scanners of secrets as one; see :class:`~mainstay.guardrails.port.Scanner`."""

    def __init__(self) -> None:
        self._credentials, self._blocks = SecretScanner(), KeyBlocks()
        #: For streams, whose windows are as long as each of them needs.
        self.parts: tuple[Scanner, ...] = (self._blocks, self._credentials)

    @property
    def kinds(self) -> frozenset[str]:
        """See the port."""
        return self._credentials.kinds | self._blocks.kinds

    @property
    def reach(self) -> int:
        """See the port."""
        return max(self._credentials.reach, self._blocks.reach)

    def settled(self, text: str) -> int:
        """Return how many characters of ``text``, from its start, are judged alike whatever follows it."""
        return min(self._credentials.settled(text), self._blocks.settled(text))

    def scan(self, text: str) -> Sequence[Finding]:
        """See the port."""
        found, blocks = self._credentials.scan(text), self._blocks.scan(text)
        return owned([*found, *blocks]) if blocks else found


def compile_rails(route: str, rows: Mapping[str, RailConfig], instruments: Instruments, canary: str = "") -> Railing:
    """Return the rails of a route.

    Args:
        route: its name.
        rows: by name, in the order in which they count.
        instruments: what looks.
        canary: the word that a rail for leaks of the system prompt looks for.

    Raises:
        StartError: a package is missing; the message names the rail and what to install.
    """
    rails: list[Rail] = []
    for name, row in rows.items():
        try:
            rails += _rails(route, name, row, instruments, canary)
        except StartError as error:
            raise StartError(f"The rail '{name}' cannot look: {error.message}") from None
    styles = {row.style for row in rows.values() if row.action == "pseudonymise"}
    leaks = any(row.what == "canary" for row in rows.values())
    return Railing(tuple(rails), "realistic" if "realistic" in styles else "typed", canary if leaks else "")


def _rails(route: str, name: str, row: RailConfig, instruments: Instruments, canary: str) -> list[Rail]:
    """Return what a row is made of: two rails where what nobody vouches for is read otherwise."""
    places = frozenset(row.places)
    if row.judged:
        return [_judging(name, row, places, _judge(route, row, instruments))]
    if row.what != "injection":
        return [_scanning(name, row, places, _scanner(row, instruments, canary))]
    return [
        _scanning(name, row, those, instruments.injection(untrusted=untrusted))
        for untrusted, those in ((False, places - _UNTRUSTED), (True, places & _UNTRUSTED))
        if those
    ]


def _judge(route: str, row: RailConfig, instruments: Instruments) -> Memory | NoveltyJudge:
    if row.what == "novelty":
        return instruments.novelty(route, row.threshold)
    if row.what == "topics":
        return Memory(open_topics(row.allow, row.deny))
    return instruments.judge(row.what)


def _scanner(row: RailConfig, instruments: Instruments, canary: str) -> Scanner:
    if row.what == "personal":
        return instruments.personal(row.kinds)
    if row.what == "secrets":
        return instruments.secrets()
    if row.what == "words":
        return word_scanner(row.words)
    if row.what == "pattern":
        return pattern_scanner(row.patterns)
    return CanaryScanner([canary] if canary else [])


def _scanning(name: str, row: RailConfig, places: frozenset[Place], scanner: Scanner) -> Rail:
    kinds, least = frozenset(row.kinds), row.threshold or 0.0
    return _made(name, row, places, scanner=scanner, kinds=kinds, least=least)


def _judging(name: str, row: RailConfig, places: frozenset[Place], judge: Memory | NoveltyJudge) -> Rail:
    usual = THRESHOLDS if row.what == "topics" else judge.thresholds
    limits = {
        head: row.thresholds.get(
            head, row.threshold if row.threshold is not None else usual.get(head.partition(":")[0], 0.5)
        )
        for head in sorted(judge.heads & (frozenset(row.kinds) or row.found))
    }
    return _made(name, row, places, judge=judge, thresholds=limits)


def _made(
    name: str,
    row: RailConfig,
    places: frozenset[Place],
    *,
    scanner: Scanner | None = None,
    judge: Judge | None = None,
    kinds: frozenset[str] = frozenset(),
    least: float = 0.0,
    thresholds: Mapping[str, float] | None = None,
) -> Rail:
    return Rail(
        name,
        row.what,
        places,
        row.action,
        enforce=row.mode == "enforce",
        closed=row.failure == "closed",
        scanner=scanner,
        judge=judge,
        kinds=kinds,
        least=least,
        thresholds=thresholds or {},
        reply=row.reply or "",
        model=row.do.route if isinstance(row.do, RouteTo) else "",
        images=row.images,
    )
