"""A knowledge base as one file: what its versions hold, with vectors, what was retracted, and who changed what.

A zip of JSON lines, with a manifest of their SHA-256. States of the past stay behind; words that were retracted are in
it by their SHA-256 only, and blank in the texts. Reading one goes through the same door as any other change, so nothing
comes in that was retracted here.
"""

import base64
import hashlib
import json
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import msgspec

from mainstay.core.errors import Conflict, InvalidRequest
from mainstay.grounding.port import Change, Meta, Slice, Version, Written
from mainstay.grounding.revisions import put_one
from mainstay.grounding.rows import FOREVER, Rows, Transactions
from mainstay.grounding.shelf import Draft
from mainstay.grounding.steps import Row, Step, Steps, find
from mainstay.grounding.tombstones import bury
from mainstay.grounding.versions import head_of
from mainstay.grounding.windows import blank, unpack, withheld

__all__ = ["export", "import_"]

_FORMAT = 1
_MEMBERS = ("versions", "texts", "documents", "tombstones", "history")
_WORDS = msgspec.json.Decoder(tuple[str, ...])
_META = msgspec.json.Decoder(Meta)


def export(connections: Transactions, name: str, file: Path) -> int:
    """Write a base to ``file``, whole or not at all, with mode 0600; return its bytes."""
    with tempfile.NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.", delete=False) as spare:
        scratch = Path(spare.name)
        try:
            with connections.read() as db, zipfile.ZipFile(spare, "w", zipfile.ZIP_DEFLATED) as packed:
                _export(db, name, packed)
            scratch.replace(file)
        finally:
            scratch.unlink(missing_ok=True)
    return file.stat().st_size


def _export(db: Rows, name: str, packed: zipfile.ZipFile) -> None:
    ((uuid, seq, at),) = db.execute("SELECT uuid, seq, at FROM base").fetchall()
    lines = {
        "versions": _versions(db),
        "texts": _texts(db),
        "documents": _documents(db),
        "tombstones": _tombstones(db),
        "history": _history(db),
    }
    files = {}
    for member in _MEMBERS:
        hashed, count = hashlib.sha256(), 0
        with packed.open(f"{member}.jsonl", "w", force_zip64=True) as out:
            for line in lines[member]:
                data = msgspec.json.encode(line) + b"\n"
                hashed.update(data)
                out.write(data)
                count += 1
        files[member] = {"sha256": hashed.hexdigest(), "lines": count}
    manifest = {"format": _FORMAT, "base": name, "uuid": uuid, "seq": seq, "at": at, "files": files}
    packed.writestr("manifest.json", json.dumps(manifest, indent=1))


def _versions(db: Rows) -> Iterator[dict[str, Any]]:
    for (name,) in db.execute("SELECT name FROM versions ORDER BY id").fetchall():
        row = find(db, name)
        behind = db.execute(
            "SELECT d.name FROM behind b JOIN documents d ON d.id = b.document WHERE b.version = ?", (row.id,)
        ).fetchall()
        yield {"version": msgspec.to_builtins(row.version), "behind": [one for (one,) in behind]}


def _texts(db: Rows) -> Iterator[dict[str, Any]]:
    found = db.execute(
        "SELECT r.id, r.body FROM revisions r WHERE EXISTS"
        " (SELECT 1 FROM holdings h WHERE h.revision = r.id AND h.hi = ?) ORDER BY r.id",
        (FOREVER,),
    )
    for revision, body in found:
        yield {"id": revision, "text": blank(unpack(body), withheld(db, revision))}


def _documents(db: Rows) -> Iterator[dict[str, Any]]:
    found = db.execute(
        "SELECT v.name, v.id, v.embedder, v.dimensions, d.name, d.id, r.id, r.number, h.meta FROM holdings h"
        " JOIN versions v ON v.id = h.version JOIN documents d ON d.id = h.document"
        " JOIN revisions r ON r.id = h.revision WHERE h.hi = ? ORDER BY r.number, d.id, v.id",
        (FOREVER,),
    ).fetchall()
    for version, version_id, embedder, dimensions, document, document_id, revision, number, meta in found:
        places = db.execute(
            'SELECT p."start", p."end", p.page, q.heading, q.flags, x.data FROM places p'
            " JOIN passages q ON q.id = p.passage"
            " LEFT JOIN vectors x ON x.passage = q.id AND x.embedder = ?"
            ' WHERE p.version = ? AND p.document = ? AND p.hi = ? ORDER BY p."start", p."end"',
            (embedder, version_id, document_id, FOREVER),
        ).fetchall()
        slices = [Slice(row[0], row[1], row[2], _WORDS.decode(row[3]), _WORDS.decode(row[4])) for row in places]
        raw = b"".join(row[5] or bytes(4 * dimensions) for row in places) if embedder else b""
        yield {
            "version": version,
            "document": document,
            "text": revision,
            "revision": number,
            "meta": _META.decode(meta),
            "slices": slices,
            "vectors": base64.b64encode(raw).decode(),
        }


def _tombstones(db: Rows) -> Iterator[dict[str, Any]]:
    found = db.execute(
        "SELECT id, kind, name, sha256, length, erased, at, who, why FROM tombstones ORDER BY id"
    ).fetchall()
    for number, kind, name, sha256, length, erased, at, who, why in found:
        hashes = db.execute("SELECT sha256 FROM buried WHERE tombstone = ? ORDER BY sha256", (number,)).fetchall()
        yield {
            "kind": kind, "name": name, "sha256": sha256, "length": length, "erased": bool(erased), "at": at,
            "who": who, "why": why, "hashes": [one for (one,) in hashes],
        }  # fmt: skip


def _history(db: Rows) -> Iterator[dict[str, Any]]:
    found = db.execute(
        "SELECT c.seq, c.at, c.what, c.who, c.why, x.document, x.version, x.before, x.after FROM commits c"
        " LEFT JOIN changes x ON x.seq = c.seq ORDER BY c.seq, x.id"
    )
    names = ("seq", "at", "what", "who", "why", "document", "version", "before", "after")
    for row in found:
        yield {name: value for name, value in zip(names, row, strict=True) if value is not None}


def import_(steps: Steps, file: Path, change: Change) -> Written:
    """Read an archive into a base without documents."""
    try:
        with zipfile.ZipFile(file) as packed:
            _verify(packed)
            with steps.step("import", change) as step:
                _import(step, packed)
                return step.written()
    except (zipfile.BadZipFile, KeyError, ValueError, msgspec.DecodeError) as error:
        raise InvalidRequest("This is not an archive of a knowledge base, or it was changed since.") from error
    except OSError as error:
        raise InvalidRequest("The archive cannot be read.") from error


def _verify(packed: zipfile.ZipFile) -> None:
    manifest = json.loads(packed.read("manifest.json"))
    if manifest["format"] != _FORMAT:
        raise InvalidRequest("The archive was written by another Mainstay: use that one.")
    for member in _MEMBERS:
        hashed = hashlib.sha256()
        with packed.open(f"{member}.jsonl") as data:
            while part := data.read(1 << 20):
                hashed.update(part)
        if hashed.hexdigest() != manifest["files"][member]["sha256"]:
            raise InvalidRequest("The archive was changed since it was written: take another copy.")


def _import(step: Step, packed: zipfile.ZipFile) -> None:
    db = step.db
    if db.execute("SELECT 1 FROM holdings LIMIT 1").fetchall():
        raise Conflict("This knowledge base has documents: read the archive into a new one.")
    step.moved = True
    for line in _lines(packed, "tombstones"):
        bury(step, line)
    told = [(msgspec.convert(line["version"], Version), line["behind"]) for line in _lines(packed, "versions")]
    db.execute("DELETE FROM versions").close()
    for version, _ in told:
        _insert(step, version)
        if version.state == "live":
            head_of(step, version.name)
    rows = {version.name: find(db, version.name) for version, _ in told}
    step.live = find(db, "").id
    texts = {line["id"]: line["text"] for line in _lines(packed, "texts")}
    for line in _lines(packed, "documents"):
        _put(step, rows[line["version"]], line, texts[line["text"]])
    db.execute("DELETE FROM behind").close()
    for version, behind in told:
        db.executemany(
            "INSERT INTO behind SELECT ?, id, ? FROM documents WHERE name = ? ON CONFLICT DO NOTHING",
            [(rows[version.name].id, step.seq, one) for one in behind],
        ).close()


def _insert(step: Step, made: Version) -> None:
    step.db.execute(
        "INSERT INTO versions (name, embedder, dimensions, chunker, dense, parent, state, seq, born, created)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (made.name, made.embedder, made.dimensions, made.chunker, made.dense, made.parent, made.state, step.seq,
         step.seq, made.created),
    ).close()  # fmt: skip


def _put(step: Step, row: Row, line: dict[str, Any], text: str) -> None:
    vectors = None
    if line["vectors"]:
        import numpy as np

        vectors = np.frombuffer(base64.b64decode(line["vectors"]), "<f4").reshape(-1, row.version.dimensions)
    slices = msgspec.convert(line["slices"], list[Slice])
    meta = msgspec.convert(line["meta"], Meta)
    name = line["document"]
    # Revisions keep their numbers.
    step.db.execute("INSERT INTO documents (name) VALUES (?) ON CONFLICT DO NOTHING", (name,)).close()
    step.db.execute(
        "UPDATE documents SET revisions = max(revisions, ?) WHERE name = ?", (line["revision"] - 1, name)
    ).close()
    try:
        put_one(step, row, Draft(name, text, slices, meta, vectors))
    except Conflict:
        # Retracted, here or there.
        return


def _lines(packed: zipfile.ZipFile, member: str) -> Iterator[dict[str, Any]]:
    data: IO[bytes]
    with packed.open(f"{member}.jsonl") as data:
        for line in data:
            yield json.loads(line)
