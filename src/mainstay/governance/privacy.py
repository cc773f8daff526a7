"""What a person may ask: where they are in what is kept, a copy, and that they be forgotten, with a proof.

Knows places only by their port. The proof says what was removed where, by its hash, and is signed; the audit log has
its hash, and neither has the words. What stays, and why, stands in it too.
"""

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from secrets import token_hex

import msgspec
from sqlalchemy import Engine

from mainstay.core.audit import canonical
from mainstay.core.clock import wall_ms
from mainstay.core.subject import Place, Subject, Trace
from mainstay.governance.checkpoints import Signer, key_id, signed_by
from mainstay.store.audit import record_event
from mainstay.store.sql import wipe, writing

__all__ = ["STAYS", "Desk", "Proof", "Removed", "check_proof"]

#: What is not erased, and why.
STAYS = {
    "ledger": "entries say what a call cost, which budget it was charged to and under which key; they hold no content "
    "and no user, and the law asks that books be kept",
    "records": "a row that says when, which model, how many tokens and which key, without content, user and tags: the "
    "ledger refers to it",
    "histories": "vectors of requests in var/novelty, without text or user: 'mainstay novelty fit' makes them anew, "
    "without what was erased",
    "audit log": "events name subjects of this kind by a keyed hash only",
    "backups": "copies of the database and of var/ are out of reach: let them expire, or destroy the tenant's key",
}


class Removed(msgspec.Struct, frozen=True):
    """``hashes`` are SHA-256 of the proof's salt and the canonical JSON of each thing that was removed from a place."""

    place: str
    count: int
    hashes: list[str]


class Proof(msgspec.Struct, frozen=True):
    """That a subject was erased. ``subject`` is SHA-256 of the salt, the kind and the value, each on a line.

    ``left`` counts what was in use and is still there, by place. ``signature`` is over the canonical JSON of the rest.
    """

    id: str
    at: int
    kind: str
    subject: str
    salt: str
    removed: list[Removed]
    left: dict[str, int]
    stays: dict[str, str]
    key: str
    public_key: str
    signature: str = ""

    def said(self) -> bytes:
        """Return the bytes that are signed."""
        return b"mainstay erasure\n" + canonical(msgspec.structs.replace(self, signature=""))


class Desk:
    """Answers what is asked of what is kept, and notes each asking in the audit log.

    Args:
        engine: the database.
        signer: signs proofs.
        places: where to look, in the order in which they are erased.
        actor: who asks.
    """

    def __init__(self, engine: Engine, signer: Signer, places: Sequence[Place], actor: str) -> None:
        self._engine = engine
        self._signer = signer
        self._places = places
        self._actor = actor

    def find(self, subject: Subject, *, purpose: str = "find") -> Iterator[Trace]:
        """Yield what is kept of a subject, place by place; ``purpose`` is ``find`` or ``export``."""
        self._note(f"privacy.{purpose}", subject, {})
        for place in self._places:
            yield from place.find(subject)

    def erase(self, subject: Subject, told: Callable[[Trace], None] = lambda _: None) -> Proof:
        """Remove what is kept of a subject; return the proof. Cut off, it is ended by being run again."""
        salt, found = token_hex(16), wall_ms()
        identity = token_hex(8)
        self._note("privacy.erase_begin", subject, {"erasure": identity})
        removed = []
        for place in self._places:
            hashes: list[str] = []

            def note(trace: Trace, hashes: list[str] = hashes) -> None:
                hashes.append(sha256(salt.encode() + canonical(trace)).hexdigest())
                told(trace)

            place.erase(subject, note)
            removed.append(Removed(place.name, len(hashes), hashes))
        wipe(self._engine)
        proof = Proof(
            identity,
            found,
            subject.kind,
            sha256(f"{salt}\n{subject.kind}\n{subject.value}".encode()).hexdigest(),
            salt,
            removed,
            self._left(subject),
            STAYS,
            self._signer.key,
            self._signer.public.hex(),
        )
        proof = msgspec.structs.replace(proof, signature=self._signer.sign(proof.said()).hex())
        said: dict[str, str | int] = {
            "erasure": identity,
            "proof": sha256(proof.said()).hexdigest(),
            "removed": sum(one.count for one in removed),
        }
        self._note("privacy.erase", subject, said)
        return proof

    def _left(self, subject: Subject) -> dict[str, int]:
        """Return how much is still found where erasing leaves nothing but what is in use."""
        counts = {place.name: sum(1 for _ in place.find(subject)) for place in self._places}
        # Of a key, records stay as rows without content: that is no left-over.
        return {
            name: count for name, count in counts.items() if count and not (name == "records" and subject.kind == "key")
        }

    def _note(self, action: str, subject: Subject, said: dict[str, str | int]) -> None:
        # Whom it was about, only who has the signing key can tell.
        named = f"{subject.kind}:{self._signer.pseudonym(f'{subject.kind}:{subject.value}')}"
        with writing(self._engine) as connection:
            record_event(self._engine, connection, self._actor, action, named, dict(said))


def check_proof(proof: Proof, public: bytes, subject: Subject | None = None) -> bool:
    """Say whether a proof was signed with the key of ``public``, and, if one is given, is of that subject."""
    try:
        signature = bytes.fromhex(proof.signature)
    except ValueError:
        return False
    if proof.key != key_id(public) or not signed_by(public, proof.said(), signature):
        return False
    if subject is None:
        return True
    return proof.subject == sha256(f"{proof.salt}\n{subject.kind}\n{subject.value}".encode()).hexdigest()
