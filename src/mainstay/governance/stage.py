"""The line's step that lets a call in: by the policies in force, and with the notice that an AI system answers.

It stands before all that looks at a call or costs money. Which model is asked is chosen far below, and what data there
is has not been looked for yet: so the call takes a question along that routing asks of every target, when the rails
have looked. Here a call is refused at once only where no finding could change that. Knows neither rails nor routing.
"""

from collections.abc import Awaitable, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from mainstay.core.answer import Answer
from mainstay.core.call import Call
from mainstay.core.errors import InvalidRequest, PolicyDenied
from mainstay.core.record import Denial, RailVerdict
from mainstay.core.stage import Onward
from mainstay.core.target import Target
from mainstay.governance.config import is_purpose
from mainstay.governance.disclosure import Disclosure
from mainstay.governance.policy import Asking, Policies

__all__ = ["PURPOSE", "UNCHECKED", "Admit", "Rule", "seen"]

#: The header in which a caller says what a call is for.
PURPOSE: Final = b"x-mainstay-purpose"
#: What ``data`` holds where a rail could not look.
UNCHECKED: Final = "unchecked"
_REPLACED: Final = frozenset({"masked", "pseudonymised"})
_Seen = tuple[frozenset[str], frozenset[str], frozenset[str]]
_NOTHING: Final[frozenset[str]] = frozenset()
_UNSEEN: Final[_Seen] = (_NOTHING, _NOTHING, _NOTHING)


class Rule:
    """The policies as one route has them.

    Args:
        policies: those of the configuration.
        targets: every model that the route may ask.
        purpose: what the route is for; "" where the caller says it.
        purposes: what callers may say; None: anything.
        classes: what each rail looks for, by its name.
    """

    def __init__(
        self,
        policies: Policies,
        targets: Sequence[Target] = (),
        *,
        purpose: str = "",
        purposes: frozenset[str] | None = None,
        classes: Mapping[str, str] | None = None,
    ) -> None:
        self.policies = policies
        self.targets = targets
        self.classes = classes or {}
        self._purpose = purpose
        self._purposes = purposes
        words = {name for name in Asking._fields if policies.mention(name)}
        #: What no policy speaks of would only make equal calls different.
        self._route, self._operation, self._user = "route" in words, "operation" in words, "user" in words
        self._purposeful = "purpose" in words or purposes is not None

    def asking(self, call: Call) -> Asking:
        """Return who asks, without what the rails find.

        Raises:
            InvalidRequest: the purpose is none that may be said here.
        """
        caller = call.caller
        return Asking(
            caller.name or caller.key,
            caller.team,
            caller.organisation,
            call.route if self._route else "",
            call.ask.operation.value if self._operation else "",
            self._purpose_of(call) if self._purposeful else "",
            call.ask.user if self._user else "",
        )

    def _purpose_of(self, call: Call) -> str:
        given = call.given.get(PURPOSE)
        if given is None:
            return self._purpose
        purpose = given.decode("latin-1").strip()
        if self._purpose and purpose != self._purpose:
            message = f"This route is for '{self._purpose}'; leave the header {PURPOSE.decode()} out, or say that."
        elif not is_purpose(purpose):
            message = f"The header {PURPOSE.decode()} must hold 1 to 40 small letters, digits, '_' and '-'."
        elif self._purposes is not None and purpose not in self._purposes:
            message = f"The header {PURPOSE.decode()} must say one of: {', '.join(sorted(self._purposes))}."
        else:
            return purpose
        raise InvalidRequest(message, param=PURPOSE.decode())


class _Permit:
    """The question that one call takes along: may it go to this target, with what is known of its data by now?"""

    __slots__ = ("_asking", "_key", "_record", "_rule")

    def __init__(self, rule: Rule, call: Call) -> None:
        self._rule = rule
        self._record = call.record
        self._key = call.caller.key
        self._asking = rule.asking(call)

    def __call__(self, target: Target) -> PolicyDenied | None:
        rule, asking = self._rule, self._asking
        policies = rule.policies
        if policies.read_data:
            found = seen(self._record.verdicts, rule.classes)
            if found is not _UNSEEN:
                asking = asking._replace(data=found[0], masked=found[1], checked=found[2])
        decision = policies.decide(asking, target.model)
        if decision.permitted:
            return None
        if all(target.model != denial.model for denial in self._record.denials):
            names, data = list(decision.policies), sorted(asking.data)
            denial = Denial(target.model, names, self._key, asking.purpose, data, policies.version)
            self._record.denials.append(denial)
        return decision.refusal(target.model)


class Admit:
    """Lets calls in.

    Args:
        rule: the policies as the route has them; None where there are none.
        disclosure: how people are told that an AI system answers; None where they are not.
    """

    def __init__(self, rule: Rule | None = None, disclosure: Disclosure | None = None) -> None:
        self._rule = rule
        self._disclosure = disclosure

    def __call__(self, call: Call, onward: Onward) -> Awaitable[Answer]:
        rule = self._rule
        if rule is not None:
            permit = _Permit(rule, call)
            if rule.targets and not rule.policies.read_data:
                _refuse_at_once(permit, rule.targets)
            call = replace(call, forbids=permit)
        if self._disclosure is None:
            return onward(call)
        return self._disclose(self._disclosure, call, onward)

    async def _disclose(self, disclosure: Disclosure, call: Call, onward: Onward) -> Answer:
        return disclosure.tell(call, await onward(call))


def seen(verdicts: Sequence[RailVerdict], classes: Mapping[str, str]) -> _Seen:
    """Return what rails let out, what they masked, and what they looked for, in what is sent to a model.

    Each holds what a rail looks for, by its name in ``classes`` or else its own (``personal``), and the kinds of what
    it found (``email``).
    """
    if not verdicts:
        return _UNSEEN
    data: set[str] = set()
    masked: set[str] = set()
    checked: set[str] = set()
    for verdict in verdicts:
        if verdict.where == "output":
            continue
        name = classes.get(verdict.rail, verdict.rail)
        if verdict.outcome == "failed":
            data.add(UNCHECKED)
            continue
        checked.add(name)
        if verdict.outcome != "passed":
            found = masked if verdict.enforced and verdict.outcome in _REPLACED else data
            found.add(name)
            found.update(verdict.kinds)
    return frozenset(data), frozenset(masked), frozenset(checked)


def _refuse_at_once(permit: _Permit, targets: Sequence[Target]) -> None:
    """Raise where no target is permitted, whatever the rails will find."""
    first: PolicyDenied | None = None
    for target in targets:
        error = permit(target)
        if error is None:
            return
        first = first or error
    if first is not None:
        raise first
