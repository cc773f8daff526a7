"""Pseudonyms for what was found in a text: nobody reads the value from them, and everybody writes the same.

A pseudonym is the kind and eight characters of HMAC-SHA256 over kind and value, under a key that belongs to one tenant
and one conversation. So the same value has the same pseudonym on every turn, for every model, on every node, without a
map that they share; and no other tenant and no other conversation ever has it. What restores the answer is a map that
lives as long as the call: a model can only name what this call sent it, and every call sends the conversation whole,
whether the caller repeats it or it is expanded from what we keep. It knows nothing of rails, routes or models.
"""

import hmac
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal

from mainstay.guardrails.port import Finding
from mainstay.guardrails.restore import ALPHABET, LENGTH, Restorer
from mainstay.guardrails.surrogates import surrogate, words

__all__ = ["Pseudonyms", "Style", "derive_key"]

#: ``typed``: ``PERSON_k7q2m9xd``; ``realistic``: an invented name, an address at example.com and the like where there
#: is such a form, typed elsewhere.
Style = Literal["typed", "realistic"]

#: Kinds whose values are replaced wherever else they stand in the call, also where the scanner missed them.
_REPEATED: Final = frozenset(
    [
        "person",
        "organisation",
        "address",
        "email",
        "phone",
        "iban",
        "card",
        "national_id",
        "passport",
        "driving_licence",
        "url",
        "crypto",
        "plate",
    ]
)
#: A shorter value is too likely to be another word.
_SHORTEST: Final = 4
_Span = tuple[int, int, str]
_STRING: Final = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)


def derive_key(master: bytes, tenant: str) -> bytes:
    """Return the key of ``tenant``: HKDF-SHA256 (RFC 5869) from the installation's ``master`` key."""
    return _hkdf(master, b"mainstay pseudonyms tenant\0" + tenant.encode())


class Pseudonyms:
    """The pseudonyms of one call. Cheap to make, not to be shared between calls.

    Args:
        tenant_key: from :func:`derive_key`.
        conversation: what names the conversation; empty gives a value one pseudonym throughout the tenant.
        style: what they look like.
    """

    def __init__(self, tenant_key: bytes, conversation: str = "", *, style: Style = "typed") -> None:
        self._key = _hkdf(tenant_key, b"mainstay pseudonyms conversation\0" + conversation.encode())
        self._realistic = style == "realistic"
        self._names: dict[tuple[str, str], str] = {}  # by kind and value
        self._values: dict[str, str] = {}  # by pseudonym
        self._repeated: dict[str, str] = {}  # kinds by value
        self._sorted: list[str] | None = None

    @property
    def mapping(self) -> Mapping[str, str]:
        """Values by pseudonym, of all that was hidden so far: what :class:`~mainstay.guardrails.restore.Restorer`
        wants. It grows with each call of :meth:`note` and :meth:`hide`."""
        return MappingProxyType(self._values)

    def note(self, text: str, findings: Sequence[Finding]) -> None:
        """Remember what was found in ``text``. Whoever notes every part of a request before hiding the first has a
        value hidden in all of them, also where it was found in only one."""
        for finding in findings:
            value = text[finding.start : finding.end]
            self._name(finding.kind, value)
            if finding.kind not in _REPEATED:
                continue
            for repeated in (value, *value.split()) if finding.kind == "person" else (value,):
                if len(repeated) >= _SHORTEST and repeated not in self._repeated:
                    self._repeated[repeated] = finding.kind
                    self._sorted = None

    def hide(self, text: str, findings: Sequence[Finding] = ()) -> tuple[str, Mapping[str, str]]:
        """Return ``text`` with pseudonyms in place of what was found, and :attr:`mapping`.

        Args:
            text: any text but JSON, for which there is :meth:`hide_json`.
            findings: in order, without overlaps.
        """
        self.note(text, findings)
        spans = [(finding.start, finding.end, finding.kind) for finding in findings]
        self._add(spans, self._repetitions(text))
        # A text that names a pseudonym itself must not have it restored: it is hidden like any value.
        self._add(spans, self._literals(text))
        spans.sort()
        if not spans:
            return text, self.mapping
        done: list[str] = []
        position = 0
        for start, end, kind in spans:
            done.append(text[position:start])
            done.append(self._name(kind, text[start:end]))
            position = end
        done.append(text[position:])
        return "".join(done), self.mapping

    def hide_json(self, text: str, scan: Callable[[str], Sequence[Finding]]) -> tuple[str, Mapping[str, str]]:
        """Return JSON with pseudonyms in its strings, which are scanned as what they mean rather than as written.

        What is no JSON (arguments that broke off) is hidden as plain text.
        """
        try:
            json.loads(text)
        except ValueError:
            return self.hide(text, scan(text))

        def hidden(match: re.Match[str]) -> str:
            value = json.loads(match[0], strict=False)
            result, _ = self.hide(value, scan(value))
            return match[0] if result == value else json.dumps(result, ensure_ascii=False)

        return _STRING.sub(hidden, text), self.mapping

    def _repetitions(self, text: str) -> Iterator[_Span]:
        """Yield where ``text`` has values that were found elsewhere, the longest first."""
        if self._sorted is None:
            self._sorted = sorted(self._repeated, key=lambda value: (-len(value), value))
        for value in self._sorted:
            start = text.find(value)
            while start >= 0:
                end = start + len(value)
                if not (_inside(text, start) or _inside(text, end)):
                    yield start, end, self._repeated[value]
                start = text.find(value, end)

    def _literals(self, text: str) -> Iterator[_Span]:
        """Yield where ``text`` names pseudonyms; hardly any does, which the ends of them tell."""
        lower = text.lower()
        if any(name[-LENGTH:].lower() in lower for name in self._values):
            for start, end, _ in Restorer(self._values).find(text):
                yield start, end, "text"

    @staticmethod
    def _add(spans: list[_Span], more: Iterable[_Span]) -> None:
        """Add to ``spans`` what of ``more`` lies between them."""
        taken: set[int] | None = None
        for start, end, kind in more:
            if taken is None:
                taken = {place for low, high, _ in spans for place in range(low, high)}
            if taken.isdisjoint(range(start, end)):
                taken.update(range(start, end))
                spans.append((start, end, kind))

    def _name(self, kind: str, value: str) -> str:
        name = self._names.get((kind, value))
        if name is not None:
            return name
        if self._realistic and kind == "person":
            name = words(value, lambda word: self._free("person word", word))
        else:
            name = self._free(kind, value)
        self._names[kind, value] = name
        return name

    def _free(self, kind: str, value: str) -> str:
        """Return the first pseudonym of ``value`` that no other value of this call has."""
        for attempt in range(1 << 16):
            message = f"{kind}\0{attempt}\0{value}".encode("utf-8", "surrogatepass")
            digest = hmac.digest(self._key, message, "sha256")
            name = surrogate(kind, digest) if self._realistic else None
            if name is None:
                number = int.from_bytes(digest[:5])
                end = "".join(ALPHABET[number >> 5 * place & 31] for place in range(LENGTH))
                name = f"{kind.upper()}_{end}"
            if self._values.get(name) == value:
                return name
            if not self._taken(name):
                self._values[name] = value
                return name
        raise AssertionError("unreachable: two to the sixteen digests were taken")

    def _taken(self, name: str) -> bool:
        """Whether ``name`` is in use or, being of no fixed length, begins or continues one that is."""
        if not self._realistic:
            return name in self._values
        return any(name.startswith(other) or other.startswith(name) for other in self._values)


def _inside(text: str, place: int) -> bool:
    """Whether ``place`` lies between two letters or digits."""
    return 0 < place < len(text) and text[place - 1].isalnum() and text[place].isalnum()


def _hkdf(key: bytes, info: bytes) -> bytes:
    extracted = hmac.digest(bytes(32), key, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")
