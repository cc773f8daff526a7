"""``/api/knowledge/{base}``: filling bases, and whole states of them: files that are sent, sources that are read,
versions that are built, measured and cleared, archives.

What takes longer than a caller waits is a task: it is answered at once, and asked for later. Folders are read only
where the configuration names them: whoever may change knowledge may not thereby read the machine.
"""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from fastapi import FastAPI, Query, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from mainstay.api.admin.access import Access, needs, office_of
from mainstay.api.admin.knowledge_shown import (
    CollectedShown,
    EvaluationShown,
    LearnedShown,
    ReportShown,
    RetractionShown,
    SourceStateShown,
    StaleShown,
    TaskShown,
    report_shown,
    shown,
)
from mainstay.api.admin.pages import Page, seconds
from mainstay.core.config import check_url
from mainstay.core.errors import InvalidRequest, MainstayError
from mainstay.grounding.config import EmbedderConfig
from mainstay.grounding.port import Meta
from mainstay.grounding.reports import Report, Stop
from mainstay.grounding.service import Knowledge
from mainstay.grounding.service.tasks import Task, Told
from mainstay.identity.roles import INSTALLATION, Permission

__all__ = ["Built", "Cleared", "Ingested", "Judged", "Question", "Taught", "add_routes"]

_READ, _WRITE, _CONTENT = Permission.KNOWLEDGE_READ, Permission.KNOWLEDGE_WRITE, Permission.CONTENT_READ
_LONGEST = 4000
_BINARY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
_PIECE = 256 * 1024

Why = Annotated[str, Field(max_length=_LONGEST)]
Said = Annotated[str, Query(max_length=_LONGEST, description="Why; kept with the change.")]


class Ingested(BaseModel):
    """What is to be read: addresses, or ``sources`` of the configuration by name; all of those where neither is given.

    ``name``, ``groups``, ``fields``, ``licence``, ``consent`` and ``ttl`` (``90d``) are of documents at ``urls``;
    ``again`` reads what is unchanged, too."""

    urls: Annotated[list[Annotated[str, Field(max_length=2000)]], Field(max_length=1000)] = []
    sources: list[str] = []
    name: Annotated[str, Field(max_length=64)] = ""
    groups: list[str] = []
    fields: dict[str, str] = {}
    licence: str = ""
    consent: str = ""
    ttl: str = ""
    again: bool = False
    version: str = ""
    why: Why = ""


class Built(BaseModel):
    """A version to be built beside the live one: as configured, or with another embedder."""

    version: Annotated[str, Field(min_length=1, max_length=128)]
    embedder: Literal["minilm", "static", "none"] | EmbedderConfig | None = None
    why: Why = ""


class Question(BaseModel):
    """A question that someone judged: the documents or passages that answer it, perhaps each with a grade."""

    question: Annotated[str, Field(min_length=1, max_length=100_000)]
    relevant: Annotated[list[str] | dict[str, int], Field(min_length=1)]


class Judged(BaseModel):
    """Questions that a version is measured with, and perhaps another beside it."""

    questions: Annotated[list[Question], Field(min_length=1, max_length=1000)]
    version: str = ""
    against: str = ""


class Taught(BaseModel):
    """Questions that the weight of meaning against words is learnt from."""

    questions: Annotated[list[Question], Field(min_length=1, max_length=1000)]
    version: str = ""
    why: Why = ""


class Cleared(BaseModel):
    """What is cleared away: what was superseded longer ago than ``keep``."""

    keep: str = "7d"


def add_routes(app: FastAPI) -> None:
    """Add these routes."""
    _add_stale(app)
    _add_files(app)
    _add_tasks(app)
    _add_measures(app)
    _add_archives(app)


def _add_stale(app: FastAPI) -> None:
    @app.get("/api/knowledge/stale", tags=["knowledge"])
    def list_all_stale_knowledge(request: Request, access: Annotated[Access, needs(_READ)]) -> Page[StaleShown]:
        """List what is too old in every base."""
        with office_of(request).knowledge(access.actor) as knowledge:
            return Page(data=[shown(StaleShown, one) for name in knowledge.names() for one in knowledge.stale(name)])

    @app.get("/api/knowledge/{base}/sources", tags=["knowledge"])
    def list_knowledge_sources(
        request: Request, base: str, access: Annotated[Access, needs(_READ)]
    ) -> Page[SourceStateShown]:
        """List the sources that the configuration gives a base: when each was last read whole, and when it is next."""
        with office_of(request).knowledge(access.actor) as knowledge:
            return Page(data=[shown(SourceStateShown, one) for one in knowledge.sources(base)])

    @app.get("/api/knowledge/{base}/retractions", tags=["knowledge"])
    def list_knowledge_retractions(
        request: Request, base: str, access: Annotated[Access, needs(_READ)]
    ) -> Page[RetractionShown]:
        """List what was retracted, oldest first: by whom, why and when, without its words."""
        with office_of(request).knowledge(access.actor) as knowledge:
            return Page(data=[shown(RetractionShown, one) for one in knowledge.retracted(base)])


def _add_files(app: FastAPI) -> None:
    @app.post("/api/knowledge/{base}/upload", tags=["knowledge"], status_code=201, openapi_extra=_BINARY)
    async def upload_document(
        request: Request,
        base: str,
        access: Annotated[Access, needs(_WRITE)],
        name: Annotated[str, Query(min_length=1, max_length=1000, description="What the document is called.")],
        group: Annotated[list[str], Query(description="Who may see it; everyone otherwise.")] = [],  # noqa: B006  # FastAPI copies it
        licence: str = "",
        consent: str = "",
        ttl: Annotated[str, Query(description="How long it may be used: 90d.")] = "",
        version: str = "",
        why: Said = "",
    ) -> ReportShown:
        """Add the file that is the body: a document, or the rows of a table, each one. What it is, its bytes say."""
        data = await request.body()
        kept = int(seconds(ttl, "ttl")) if ttl else 0
        meta = Meta(groups=tuple(group), licence=licence, consent=consent, ttl=kept)

        def put() -> Report:
            with office_of(request).knowledge(access.actor) as knowledge:
                return knowledge.put(base, name, data, meta, version=version, why=why)

        return report_shown(name, await run_in_threadpool(put))


def _add_tasks(app: FastAPI) -> None:
    @app.post("/api/knowledge/{base}/ingest", tags=["knowledge"], status_code=202)
    def ingest_knowledge(
        request: Request, base: str, access: Annotated[Access, needs(_WRITE)], wanted: Ingested | None = None
    ) -> TaskShown:
        """Read addresses, or sources of the configuration, now; only what changed is read again."""
        asked = wanted or Ingested()
        said = _terms(asked)
        with office_of(request).knowledge(access.actor) as knowledge:
            # What cannot be begun is refused now, not told later.
            knowledge.planned(base, asked.urls, said, asked.sources)

        def act(knowledge: Knowledge, told: Told, stop: Stop) -> list[Report]:
            more: dict[str, Any] = {"version": asked.version, "again": asked.again, "why": asked.why}
            return knowledge.add(base, asked.urls, said, sources=asked.sources, told=told, stop=stop, **more)

        task = office_of(request).tasks.begin(base, "ingest", access.actor, act, asked.version)
        return shown(TaskShown, task)

    @app.post("/api/knowledge/{base}/build", tags=["knowledge"], status_code=202)
    def build_knowledge(
        request: Request, base: str, access: Annotated[Access, needs(_WRITE)], build: Built
    ) -> TaskShown:
        """Build a version beside the live one, or go on with it. Questions go to the live one until it is swapped."""
        with office_of(request).knowledge(access.actor) as knowledge:
            knowledge.versions(base)
        embedder = build.embedder.model_dump() if isinstance(build.embedder, EmbedderConfig) else build.embedder

        def act(knowledge: Knowledge, told: Told, stop: Stop) -> Sequence[Report]:
            knowledge.build(base, build.version, embedder=embedder, told=told, why=build.why, stop=stop)
            return ()

        task = office_of(request).tasks.begin(base, "build", access.actor, act, build.version)
        return shown(TaskShown, task)

    @app.get("/api/knowledge/{base}/tasks", tags=["knowledge"])
    def list_knowledge_tasks(request: Request, base: str, access: Annotated[Access, needs(_READ)]) -> Page[TaskShown]:
        """List what is read and built, newest first, since the process that does it began."""
        return Page(data=[shown(TaskShown, one) for one in office_of(request).tasks.of(base)])

    @app.get("/api/knowledge/{base}/tasks/{task}", tags=["knowledge"])
    def get_knowledge_task(
        request: Request, base: str, task: str, access: Annotated[Access, needs(_READ)]
    ) -> TaskShown:
        """Return how a task goes, or what it came to."""
        return shown(TaskShown, office_of(request).tasks.find(base, task))

    @app.post("/api/knowledge/{base}/tasks/{task}/stop", tags=["knowledge"])
    def stop_knowledge_task(
        request: Request, base: str, task: str, access: Annotated[Access, needs(_WRITE)]
    ) -> TaskShown:
        """End a task after the document that it is at. What it did stays; begun again, it goes on."""
        return shown(TaskShown, office_of(request).tasks.stop(base, task))


def _add_measures(app: FastAPI) -> None:
    @app.post("/api/knowledge/{base}/eval", tags=["knowledge"])
    def evaluate_knowledge(
        request: Request, base: str, access: Annotated[Access, needs(_READ)], judged: Judged
    ) -> EvaluationShown:
        """Return how well judged questions find what answers them, and how much better than in another version."""
        with office_of(request).knowledge(access.actor) as knowledge:
            lines = _lines(judged.questions)
            found = knowledge.evaluate(base, lines, version=judged.version, against=judged.against)
        return shown(EvaluationShown, found)

    @app.post("/api/knowledge/{base}/learn", tags=["knowledge"])
    def teach_knowledge(
        request: Request, base: str, access: Annotated[Access, needs(_WRITE)], taught: Taught
    ) -> LearnedShown:
        """Find the weight of meaning against words on judged questions, and use it where it gains on those held out."""
        with office_of(request).knowledge(access.actor) as knowledge:
            found = knowledge.learn(base, _lines(taught.questions), version=taught.version, why=taught.why)
        return shown(LearnedShown, found)

    @app.post("/api/knowledge/{base}/gc", tags=["knowledge"])
    def collect_knowledge(
        request: Request, base: str, access: Annotated[Access, needs(_WRITE)], clear: Cleared | None = None
    ) -> CollectedShown:
        """Remove what was superseded long ago; questions about the past and rollbacks reach as far back as ``keep``."""
        window = seconds((clear or Cleared()).keep, "keep")
        with office_of(request).knowledge(access.actor) as knowledge:
            return shown(CollectedShown, knowledge.gc(base, window=window))


def _add_archives(app: FastAPI) -> None:
    answer: dict[int | str, Any] = {
        200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}
    }

    @app.get("/api/knowledge/{base}/export", tags=["knowledge"], responses=answer, response_class=StreamingResponse)
    def export_knowledge(request: Request, base: str, access: Annotated[Access, needs(_CONTENT)]) -> StreamingResponse:
        """Return a base as one file, with its documents, versions, vectors and changes."""
        access.require(INSTALLATION, _READ)
        office = office_of(request)
        folder = Path(tempfile.mkdtemp(prefix=".export-", dir=office.home))
        try:
            with office.knowledge(access.actor) as knowledge:
                size = knowledge.export(base, folder / "base.zip")
            # Opened, it stays until it is sent or nobody wants it any more.
            file = (folder / "base.zip").open("rb")
        finally:
            shutil.rmtree(folder, ignore_errors=True)

        def pieces() -> Iterator[bytes]:
            with file:
                while piece := file.read(_PIECE):
                    yield piece

        headers = {
            "content-length": str(size),
            "content-disposition": f'attachment; filename="{base}.mainstay"',
        }
        return StreamingResponse(pieces(), media_type="application/zip", headers=headers)

    @app.post("/api/knowledge/{base}/import", tags=["knowledge"], status_code=202, openapi_extra=_BINARY)
    async def import_knowledge(
        request: Request, base: str, access: Annotated[Access, needs(_WRITE)], why: Said = ""
    ) -> TaskShown:
        """Read the file that is the body, as export gives it, into a base that is empty or not there yet."""
        data = await request.body()

        def begin() -> Task:
            office = office_of(request)
            with tempfile.NamedTemporaryFile(dir=office.home, prefix=".import-", delete=False) as kept:
                kept.write(data)
            file = Path(kept.name)

            def act(knowledge: Knowledge, _: Told, __: Stop) -> Sequence[Report]:
                knowledge.import_(base, file, why=why)
                return ()

            try:
                with office.knowledge(access.actor) as knowledge:
                    knowledge.check_archive(base, file)
                return office.tasks.begin(base, "import", access.actor, act, after=file.unlink)
            except MainstayError:
                file.unlink()
                raise

        return shown(TaskShown, await run_in_threadpool(begin))


def _terms(asked: Ingested) -> dict[str, Any]:
    if asked.urls and asked.sources:
        raise InvalidRequest("Give either 'urls' or 'sources'.", param="urls")
    for url in asked.urls:
        try:
            # What is no address would be a path of this machine.
            check_url(url.partition("?")[0].partition("#")[0])
        except ValueError:
            raise InvalidRequest(f"'{url[:100]}' is no address; write it as https://HOST/PATH.", param="urls") from None
    terms = {name: getattr(asked, name) for name in ("name", "groups", "fields", "licence", "consent")}
    if not asked.urls and (any(terms.values()) or asked.ttl):
        raise InvalidRequest("Terms are of 'urls'; those of a source stand in the configuration.", param="urls")
    return {**terms, "ttl": seconds(asked.ttl, "ttl") if asked.ttl else 0.0}


def _lines(questions: Sequence[Question]) -> list[str]:
    return [msgspec.json.encode(one.model_dump()).decode() for one in questions]
