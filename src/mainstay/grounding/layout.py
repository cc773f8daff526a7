"""The tables of a knowledge base, as SQLite takes them; other stores translate the names of types.

Rows that are revisioned carry ``[lo, hi)``: they are alive at step ``s`` when ``lo <= s < hi``. The index of words is
each store's own.
"""

from typing import Final

__all__ = ["FORMAT", "LAYOUT"]

#: Counts changes of the layout.
FORMAT: Final = 1
LAYOUT: Final = """
CREATE TABLE base (id INTEGER PRIMARY KEY CHECK (id = 1), uuid TEXT NOT NULL, seq INTEGER NOT NULL,
    at INTEGER NOT NULL, generation INTEGER NOT NULL, collected INTEGER NOT NULL);
CREATE TABLE commits (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, what TEXT NOT NULL, who TEXT NOT NULL,
    why TEXT NOT NULL);
CREATE INDEX commits_at ON commits (at);
CREATE TABLE changes (id INTEGER PRIMARY KEY, seq INTEGER NOT NULL, document TEXT NOT NULL, version TEXT NOT NULL,
    before TEXT NOT NULL, after TEXT NOT NULL);
CREATE INDEX changes_seq ON changes (seq);
CREATE INDEX changes_document ON changes (document);
CREATE TABLE closed (seq INTEGER NOT NULL, passage TEXT NOT NULL, PRIMARY KEY (seq, passage)) WITHOUT ROWID;
CREATE TABLE versions (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, embedder TEXT NOT NULL,
    dimensions INTEGER NOT NULL, chunker TEXT NOT NULL, dense REAL NOT NULL, parent TEXT NOT NULL,
    state TEXT NOT NULL, seq INTEGER NOT NULL, born INTEGER NOT NULL, created INTEGER NOT NULL);
CREATE TABLE heads (seq INTEGER PRIMARY KEY, version INTEGER NOT NULL, before INTEGER NOT NULL);
CREATE TABLE labels (name TEXT PRIMARY KEY, seq INTEGER NOT NULL, version INTEGER NOT NULL, at INTEGER NOT NULL);
CREATE TABLE leases (id TEXT PRIMARY KEY, seq INTEGER NOT NULL, version INTEGER NOT NULL, until INTEGER NOT NULL);
CREATE TABLE behind (version INTEGER NOT NULL, document INTEGER NOT NULL, seq INTEGER NOT NULL,
    PRIMARY KEY (version, document)) WITHOUT ROWID;
CREATE TABLE documents (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,
    revisions INTEGER NOT NULL DEFAULT 0);
CREATE TABLE revisions (id INTEGER PRIMARY KEY AUTOINCREMENT, document INTEGER NOT NULL, number INTEGER NOT NULL,
    sha256 TEXT NOT NULL, body BLOB NOT NULL, erased INTEGER NOT NULL DEFAULT 0, UNIQUE (document, number));
CREATE INDEX revisions_sha256 ON revisions (sha256);
CREATE TABLE holdings (id INTEGER PRIMARY KEY, version INTEGER NOT NULL, document INTEGER NOT NULL,
    revision INTEGER NOT NULL, likeness TEXT NOT NULL, meta TEXT NOT NULL, groups TEXT NOT NULL, fields TEXT NOT NULL,
    expires INTEGER NOT NULL, lo INTEGER NOT NULL, hi INTEGER NOT NULL);
CREATE INDEX holdings_document ON holdings (version, document, hi, lo);
CREATE INDEX holdings_revision ON holdings (revision);
CREATE TABLE passages (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, document INTEGER NOT NULL,
    context TEXT NOT NULL, heading TEXT NOT NULL, flags TEXT NOT NULL, text TEXT NOT NULL, sha256 TEXT NOT NULL,
    likeness BLOB NOT NULL, erased INTEGER NOT NULL DEFAULT 0);
CREATE INDEX passages_document ON passages (document);
CREATE INDEX passages_likeness ON passages (likeness);
CREATE TABLE places (id INTEGER PRIMARY KEY, version INTEGER NOT NULL, document INTEGER NOT NULL,
    revision INTEGER NOT NULL, passage INTEGER NOT NULL, "start" INTEGER NOT NULL, "end" INTEGER NOT NULL,
    byte_start INTEGER NOT NULL, byte_end INTEGER NOT NULL, page INTEGER NOT NULL,
    lo INTEGER NOT NULL, hi INTEGER NOT NULL);
CREATE INDEX places_passage ON places (passage, version, hi, lo, document);
CREATE INDEX places_document ON places (version, document, hi);
CREATE INDEX places_revision ON places (revision);
CREATE TABLE vectors (id INTEGER PRIMARY KEY AUTOINCREMENT, embedder TEXT NOT NULL, passage INTEGER NOT NULL,
    data BLOB NOT NULL, UNIQUE (passage, embedder));
CREATE TABLE tombstones (id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, name TEXT NOT NULL,
    sha256 TEXT NOT NULL, words TEXT NOT NULL, length INTEGER NOT NULL, erased INTEGER NOT NULL, seq INTEGER NOT NULL,
    at INTEGER NOT NULL, who TEXT NOT NULL, why TEXT NOT NULL, UNIQUE (kind, name, sha256));
CREATE TABLE buried (sha256 TEXT NOT NULL, tombstone INTEGER NOT NULL, PRIMARY KEY (sha256, tombstone)) WITHOUT ROWID;
CREATE TABLE withdrawn (place INTEGER NOT NULL, tombstone INTEGER NOT NULL, PRIMARY KEY (place, tombstone))
    WITHOUT ROWID;
CREATE INDEX withdrawn_tombstone ON withdrawn (tombstone);
CREATE TABLE withheld (revision INTEGER NOT NULL, version INTEGER NOT NULL, "start" INTEGER NOT NULL,
    "end" INTEGER NOT NULL, tombstone INTEGER NOT NULL, slice TEXT NOT NULL,
    PRIMARY KEY (revision, version, "start", "end", tombstone)) WITHOUT ROWID;
CREATE TABLE notes (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
