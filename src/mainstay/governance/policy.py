"""Who may send what data to which model for which purpose: the decision, by the policies of one configuration.

Pure: values in, a decision out, the same for the same values, and so remembered. Knows neither calls nor routes. As
Cedar has it: what no policy permits is denied, and one that forbids counts before all that permit.
"""

import json
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from mainstay.core.errors import PolicyDenied
from mainstay.governance.cedar import STARTER, Policy, open_schema

if TYPE_CHECKING:
    from cedarpy import Entities, PolicySet

__all__ = ["Asking", "Decision", "ModelFacts", "Policies"]

#: Decisions that are remembered: 50 MB at the very most.
_REMEMBERED: Final = 65_536
#: Callers whose place in teams and organisations is remembered.
_CALLERS: Final = 4096
#: So many policies with a head are worked out together for every call; of more, those that can be of it.
_WHOLE: Final = 64
#: Sets of policies that are kept ready.
_SETS: Final = 1024
_ASK: Final = 'Action::"ask"'
_NOTHING: Final[frozenset[str]] = frozenset()
_WORD: Final = re.compile(r"\w+")
#: Days of retention where nobody has said how long: a century.
_FOR_EVER: Final = 36_525


class ModelFacts(msgspec.Struct, frozen=True):
    """What policies can ask of a model; see ``SCHEMA``. None: nobody has said."""

    name: str
    provider: str = ""
    vendor: str = ""
    region: str = ""
    country: str = ""
    local: bool = False
    open_weights: bool = False
    retention_days: int | None = None
    trains: bool | None = None

    def attributes(self) -> dict[str, str | bool | int]:
        """Return them as policies see them."""
        found: dict[str, str | bool | int] = {name: getattr(self, name) for name in _ATTRIBUTES}
        found["retention_days"] = _FOR_EVER if self.retention_days is None else self.retention_days
        found["trains"] = self.trains is not False
        return found


_ATTRIBUTES: Final = ("provider", "vendor", "region", "country", "local", "open_weights")


class Asking(NamedTuple):
    """Who asks, and with what; see ``SCHEMA``."""

    key: str
    team: str = ""
    organisation: str = ""
    route: str = ""
    operation: str = "chat"
    purpose: str = ""
    user: str = ""
    data: frozenset[str] = _NOTHING
    masked: frozenset[str] = _NOTHING
    checked: frozenset[str] = _NOTHING


class Decision(msgspec.Struct, frozen=True):
    """Whether a call is permitted, and the policies that made it so: none where it is denied for want of one.

    ``advice`` is what those policies tell whom they keep out.
    """

    permitted: bool
    policies: tuple[str, ...] = ()
    advice: str = ""

    def refusal(self, model: str) -> PolicyDenied:
        """Return what to tell the caller of a call that is denied."""
        if not self.policies:
            message = (
                f"No policy permits this request to '{model}'; whoever runs this gateway permits all that no policy "
                f"forbids with: {STARTER}"
            )
        else:
            named = " and ".join(f"'{name}'" for name in self.policies)
            subject, verb = ("policies", "do") if len(self.policies) > 1 else ("policy", "does")
            advice = self.advice or "Ask another model, or ask whoever keeps the policies."
            message = f"The {subject} {named} {verb} not let this request go to '{model}'. {advice}"
        return PolicyDenied(message, param="model", extra={"policies": list(self.policies)})


class Policies:
    """The policies of one configuration over its models. Safe to share between threads.

    Where there are many whose heads name a key, a team, an organisation or a model, only those are worked out that can
    be of the call: a head that does not hold decides nothing.

    Args:
        policies: found right by ``find_flaws``.
        models: what they may ask of each model.

    Raises:
        StartError: the package is not installed.
    """

    def __init__(self, policies: Sequence[Policy], models: Iterable[ModelFacts]) -> None:
        open_schema()
        from cedarpy import Entities

        self.policies = policies
        self.models = {model.name: model for model in models}
        rows = [
            {"uid": _uid("Model", one.name), "attrs": one.attributes(), "parents": []} for one in self.models.values()
        ]
        self._models = Entities.from_json_str(json.dumps(rows))
        self._words = frozenset(word for one in policies for word in _WORD.findall(one.text))
        #: What identifies them: 12 hex digits of what they say.
        self.version = sha256("\0".join(one.text for one in policies).encode()).hexdigest()[:12]
        #: Whether a decision can depend on what the rails find, which is not known before they have looked.
        self.read_data = self.mention("data") or self.mention("masked") or self.mention("checked")
        #: Under their numbers, since Cedar's own change when sets are joined.
        self._common: list[str] = []
        #: Of the others: by what the principal must be in, by what the resource must be.
        self._limited: dict[tuple[str, str], list[str]] = {}
        narrow = sum(bool(one.principal or one.resource) for one in policies) > _WHOLE
        for number, one in enumerate(policies):
            if narrow and (one.principal or one.resource):
                self._limited.setdefault((one.principal, one.resource), []).append(one.called(str(number)))
            else:
                self._common.append(one.called(str(number)))
        self._set = lru_cache(_SETS)(self._joined)
        self._entities = lru_cache(_CALLERS)(self._placed)
        self.decide = lru_cache(_REMEMBERED)(self._decide)
        """Return whether the one who is ``Asking`` may ask a model, by its name."""
        self._set(())

    def mention(self, word: str) -> bool:
        """Return whether a policy has this word: what none of them has can change no decision."""
        return word in self._words

    def _decide(self, asking: Asking, model: str) -> Decision:
        from cedarpy import is_authorized

        entities = self._entities(asking.key, asking.team, asking.organisation)
        result = is_authorized(_request(asking, model), self._set(self._heads(asking, model)), entities)
        numbers = result.diagnostics.id_annotations_by_reason.values()
        found = [self.policies[number] for number in sorted(map(int, numbers))]
        ids = tuple(one.id for one in found)
        if result.diagnostics.errors:
            # A policy that could not be worked out might have been one that forbids.
            return Decision(False, ids or ("error",), "A policy could not be worked out; tell whoever keeps them.")
        return Decision(result.allowed, ids, " ".join(dict.fromkeys(one.advice for one in found if one.advice)))

    def _heads(self, asking: Asking, model: str) -> tuple[tuple[str, str], ...]:
        """Return the heads, of those there are, that hold for a call."""
        if not self._limited:
            return ()
        who = ("", f"Key::{asking.key}", f"Team::{asking.team}", f"Organisation::{asking.organisation}")
        return tuple((one, what) for one in who for what in ("", f"Model::{model}") if (one, what) in self._limited)

    def _joined(self, heads: tuple[tuple[str, str], ...]) -> "PolicySet":
        """Return the policies with these heads and those that every call is of."""
        from cedarpy import PolicySet

        if not heads:
            return PolicySet.from_str("\n".join(self._common))
        return self._set(()).with_added_str("\n".join(text for head in heads for text in self._limited[head]))

    def _placed(self, key: str, team: str, organisation: str) -> "Entities":
        """Return the models, and where a key stands among teams and organisations."""
        above = [_uid("Organisation", organisation)] if organisation else []
        rows = [{"uid": _uid("Key", key), "attrs": {}, "parents": [*([_uid("Team", team)] if team else []), *above]}]
        if team:
            rows.append({"uid": _uid("Team", team), "attrs": {}, "parents": above})
        return self._models.with_added_json_str(json.dumps(rows))


def _uid(kind: str, name: str) -> dict[str, str]:
    return {"type": kind, "id": name}


def _request(asking: Asking, model: str) -> dict[str, Any]:
    context = {
        "route": asking.route,
        "operation": asking.operation,
        "purpose": asking.purpose,
        "user": {"__entity": _uid("User", asking.user)},
        "data": sorted(asking.data),
        "masked": sorted(asking.masked),
        "checked": sorted(asking.checked),
    }
    return {"principal": _uid("Key", asking.key), "action": _ASK, "resource": _uid("Model", model), "context": context}
