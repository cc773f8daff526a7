"""``/api/knowledge``: bases of documents that answers rest on: what is in them, and correcting it.

Texts of documents are for who may read content; lists of documents, versions and changes are without them. Knowledge
belongs to the installation: a role in one team does not reach it.
"""

from typing import Annotated

from fastapi import FastAPI, Query, Request
from pydantic import Base64Bytes, BaseModel, Field

from mainstay.api.admin import knowledge_filling
from mainstay.api.admin.access import Access, needs, office_of
from mainstay.api.admin.knowledge_shown import (
    BaseShown,
    ChangeShown,
    DifferenceShown,
    DocumentPage,
    DocumentShown,
    FoundShown,
    OpenedShown,
    PassageShown,
    ReportShown,
    StaleShown,
    VersionShown,
    WrittenShown,
    document_shown,
    report_shown,
    shown,
)
from mainstay.api.admin.pages import Page, moment
from mainstay.core.errors import InvalidRequest
from mainstay.grounding.port import Meta
from mainstay.identity.roles import Permission

__all__ = ["Edited", "NewDocument", "Retracted", "RolledBack", "Searched", "Swapped", "add_routes"]

_READ, _WRITE, _CONTENT = Permission.KNOWLEDGE_READ, Permission.KNOWLEDGE_WRITE, Permission.CONTENT_READ
_LONGEST = 4000

Why = Annotated[str, Field(max_length=_LONGEST)]
Reason = Annotated[str, Field(min_length=1, max_length=_LONGEST)]
Version = Annotated[str, Query(description="Of this version; of the live one when not given.")]
At = Annotated[str | None, Query(description="As it was then: 7d (so long ago), or a time.")]


class NewDocument(BaseModel):
    """A text to be added, or a file in base64 (``data``), or what takes the place of what the document says now. Rows
    of a table are documents of their own, ``DOCUMENT#ID``.
    ``kind`` is its media type, where its bytes and its name do not say; ``dated`` is wall-clock ms, ``ttl`` seconds."""

    document: Annotated[str, Field(min_length=1, max_length=1000)]
    text: str | None = None
    data: Base64Bytes | None = None
    kind: Annotated[str, Field(max_length=100)] = ""
    title: Annotated[str, Field(max_length=1000)] = ""
    uri: Annotated[str, Field(max_length=2000)] = ""
    groups: list[str] = []
    dated: Annotated[int, Field(ge=0)] = 0
    ttl: Annotated[int, Field(ge=0)] = 0
    licence: str = ""
    consent: str = ""
    fields: dict[str, str] = {}
    version: str = ""
    why: Why = ""


class Searched(BaseModel):
    """A question, and how it is looked for. ``groups``: as someone of these sees it; null: all is seen."""

    question: Annotated[str, Field(min_length=1, max_length=100_000)]
    most: Annotated[int, Field(ge=1, le=100)] = 6
    groups: list[str] | None = None
    where: dict[str, str] = {}
    version: str = ""
    at: str | None = None


class Edited(BaseModel):
    """What is corrected: a document or a passage by ``name``; all of its ``text``, or the words ``replace`` in it."""

    name: Annotated[str, Field(min_length=1, max_length=1000)]
    why: Reason
    text: str | None = None
    replace: str = ""
    by: str = ""
    version: str = ""


class Retracted(BaseModel):
    """What is taken out for good: a document or a passage by ``name``, or every passage that says ``fact``."""

    why: Reason
    name: str = ""
    fact: str = ""
    erase: bool = False
    undo: bool = False


class Swapped(BaseModel):
    """Which version questions go to from now on, and why."""

    version: Annotated[str, Field(min_length=1)]
    why: Why = ""


class RolledBack(BaseModel):
    """Why questions go to the version before."""

    why: Why = ""


def add_routes(app: FastAPI) -> None:
    """Add this noun's routes."""
    knowledge_filling.add_routes(app)
    _add_lists(app)
    _add_documents(app)
    _add_texts(app)
    _add_changes(app)
    _add_versions(app)


def _add_lists(app: FastAPI) -> None:
    @app.get("/api/knowledge", tags=["knowledge"])
    def list_knowledge(request: Request, access: Annotated[Access, needs(_READ)]) -> Page[BaseShown]:
        """List knowledge bases."""
        with office_of(request).knowledge(access.actor) as knowledge:
            return Page(data=[shown(BaseShown, one) for one in knowledge.bases()])

    @app.get("/api/knowledge/{base}/documents", tags=["knowledge"])
    def list_documents(
        request: Request,
        base: str,
        access: Annotated[Access, needs(_READ)],
        version: Version = "",
        after: Annotated[str, Query(description="Go on after this document.")] = "",
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Page[DocumentShown]:
        """List the documents of a base, by name."""
        with office_of(request).knowledge(access.actor) as knowledge:
            rows = knowledge.documents(base, version=version, after=after, limit=limit + 1)
        data = [document_shown(one) for one in rows[:limit]]
        return Page(data=data, has_more=len(rows) > limit, last=data[-1].document if data else None)

    @app.get("/api/knowledge/{base}/history", tags=["knowledge"])
    def list_knowledge_changes(
        request: Request,
        base: str,
        access: Annotated[Access, needs(_READ)],
        document: str = "",
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Page[ChangeShown]:
        """List what was changed, by whom, why and when, newest first."""
        with office_of(request).knowledge(access.actor) as knowledge:
            return Page(data=[shown(ChangeShown, one) for one in knowledge.history(base, document, limit=limit)])

    @app.get("/api/knowledge/{base}/stale", tags=["knowledge"])
    def list_stale_knowledge(request: Request, base: str, access: Annotated[Access, needs(_READ)]) -> Page[StaleShown]:
        """List documents past their limit, and sources that were not read whole for too long."""
        with office_of(request).knowledge(access.actor) as knowledge:
            return Page(data=[shown(StaleShown, one) for one in knowledge.stale(base)])

    @app.get("/api/knowledge/{base}/diff", tags=["knowledge"])
    def compare_knowledge(
        request: Request,
        base: str,
        access: Annotated[Access, needs(_READ)],
        one: Annotated[str, Query(description="A version, or a moment: 7d, 2026-11-21T08:00.")],
        other: Annotated[str, Query(description="The same; the live version now when not given.")] = "",
    ) -> Page[DifferenceShown]:
        """List the documents that are new, gone or changed from one state to another."""
        with office_of(request).knowledge(access.actor) as knowledge:
            names = {version.name for version in knowledge.versions(base)} | {""}
            pins = [
                knowledge.resolve(base, version=state)
                if state in names
                else knowledge.resolve(base, at=moment(state, param))
                for state, param in ((one, "one"), (other, "other"))
            ]
            return Page(data=[shown(DifferenceShown, found) for found in knowledge.diff(base, *pins)])


def _add_documents(app: FastAPI) -> None:
    @app.post("/api/knowledge/{base}/documents", tags=["knowledge"], status_code=201)
    def add_document(
        request: Request, base: str, access: Annotated[Access, needs(_WRITE)], document: NewDocument
    ) -> ReportShown:
        """Add a document, or what it says from now on. The next question finds it, on every worker."""
        meta = Meta(
            title=document.title,
            uri=document.uri,
            groups=tuple(document.groups),
            dated=document.dated,
            ttl=document.ttl,
            licence=document.licence,
            consent=document.consent,
            kind=document.kind,
            fields=document.fields,
        )
        if (document.text is None) == (document.data is None):
            raise InvalidRequest("Give either 'text' or 'data'.", param="text")
        data = document.text.encode() if document.text is not None else document.data or b""
        with office_of(request).knowledge(access.actor) as knowledge:
            report = knowledge.put(base, document.document, data, meta, version=document.version, why=document.why)
        return report_shown(document.document, report)


def _add_texts(app: FastAPI) -> None:
    @app.post("/api/knowledge/{base}/search", tags=["knowledge"])
    def search_knowledge(
        request: Request, base: str, access: Annotated[Access, needs(_CONTENT)], question: Searched
    ) -> FoundShown:
        """Return what a question finds, best first."""
        with office_of(request).knowledge(access.actor) as knowledge:
            found = knowledge.search(
                base,
                question.question,
                most=question.most,
                groups=None if question.groups is None else frozenset(question.groups),
                where=question.where,
                version=question.version,
                at=_when(question.at),
            )
        return shown(FoundShown, found)

    @app.get("/api/knowledge/{base}/document", tags=["knowledge"])
    def get_document(
        request: Request,
        base: str,
        access: Annotated[Access, needs(_CONTENT)],
        name: Annotated[str, Query(description="The document's name.")],
        version: Version = "",
    ) -> DocumentPage:
        """Return a document with its passages."""
        with office_of(request).knowledge(access.actor) as knowledge:
            found = knowledge.document(base, name, version=version)
        passages = [shown(PassageShown, one) for one in found.passages]
        return DocumentPage(document=document_shown(found.document), passages=passages)

    @app.get("/api/knowledge/{base}/passages/{passage}", tags=["knowledge"])
    def get_passage(
        request: Request, base: str, passage: str, access: Annotated[Access, needs(_CONTENT)]
    ) -> OpenedShown:
        """Open a citation: the passage in the revision it is of, with what stands before and after it."""
        with office_of(request).knowledge(access.actor) as knowledge:
            return shown(OpenedShown, knowledge.open_passage(base, passage))


def _add_changes(app: FastAPI) -> None:
    @app.post("/api/knowledge/{base}/edit", tags=["knowledge"])
    def edit_knowledge(
        request: Request, base: str, access: Annotated[Access, needs(_WRITE)], edit: Edited
    ) -> WrittenShown:
        """Correct a document, a passage, or words of one. The next question finds the correction, on every worker."""
        if (edit.text is None) == (not edit.replace):
            raise InvalidRequest("Give either 'text', or 'replace' and 'by'.", param="text")
        with office_of(request).knowledge(access.actor) as knowledge:
            if edit.text is not None:
                written = knowledge.edit(base, edit.name, edit.text, why=edit.why, version=edit.version)
            else:
                written = knowledge.correct(base, edit.name, edit.replace, edit.by, why=edit.why, version=edit.version)
        return shown(WrittenShown, written)

    @app.post("/api/knowledge/{base}/retract", tags=["knowledge"])
    def retract_knowledge(
        request: Request, base: str, access: Annotated[Access, needs(_WRITE)], retraction: Retracted
    ) -> WrittenShown:
        """Take something out of every version, for good; or let a document in again (``undo``)."""
        if bool(retraction.name) == bool(retraction.fact):
            raise InvalidRequest("Give either 'name' or 'fact'.", param="name")
        if retraction.undo and (retraction.fact or retraction.erase):
            raise InvalidRequest("'undo' is of one document, by its name.", param="undo")
        with office_of(request).knowledge(access.actor) as knowledge:
            if retraction.undo:
                written = knowledge.unretract(base, retraction.name, why=retraction.why)
            else:
                written = knowledge.retract(
                    base, retraction.name, fact=retraction.fact, erase=retraction.erase, why=retraction.why
                )
        return shown(WrittenShown, written)


def _add_versions(app: FastAPI) -> None:
    @app.get("/api/knowledge/{base}/versions", tags=["knowledge"])
    def list_knowledge_versions(
        request: Request, base: str, access: Annotated[Access, needs(_READ)]
    ) -> Page[VersionShown]:
        """List the versions of a base."""
        with office_of(request).knowledge(access.actor) as knowledge:
            return Page(data=[shown(VersionShown, one) for one in knowledge.versions(base)])

    @app.post("/api/knowledge/{base}/swap", tags=["knowledge"])
    def swap_knowledge(
        request: Request, base: str, access: Annotated[Access, needs(_WRITE)], swap: Swapped
    ) -> VersionShown:
        """Send questions to another version, in one step."""
        with office_of(request).knowledge(access.actor) as knowledge:
            return shown(VersionShown, knowledge.swap(base, swap.version, why=swap.why))

    @app.post("/api/knowledge/{base}/rollback", tags=["knowledge"])
    def roll_knowledge_back(
        request: Request, base: str, access: Annotated[Access, needs(_WRITE)], rollback: RolledBack | None = None
    ) -> VersionShown:
        """Send questions to the version before, in one step."""
        with office_of(request).knowledge(access.actor) as knowledge:
            return shown(VersionShown, knowledge.rollback(base, why=rollback.why if rollback else ""))


def _when(text: str | None) -> int:
    return moment(text, "at") if text else 0
