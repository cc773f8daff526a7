"""``knowledge`` in the configuration: what each knowledge base is filled from, and how."""

import ipaddress
import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, WithJsonSchema, field_validator, model_validator

from mainstay.core.config import Duration, LocalPath, Name, OrText, PositiveDuration, Secret, Section, Size, check_url

__all__ = [
    "BASE_NAME",
    "BaseName",
    "ChunkConfig",
    "EmbedderConfig",
    "IngestLimitsConfig",
    "KnowledgeConfig",
    "KnowledgeStoreConfig",
    "RerankConfig",
    "RowsConfig",
    "SearchConfig",
    "SourceConfig",
    "source_name",
]

#: What a base may be called, here and in every store.
BASE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_GROUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SUBJECT = re.compile(r"(?:team|key|organisation):[^\s:][^\n]{0,127}|everyone")
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")


def _group(value: str) -> str:
    if not _GROUP.fullmatch(value):
        raise ValueError("is no name of a group: 1 to 64 letters, digits and . _ -, a letter or digit first")
    return value


def _subject(value: str) -> str:
    if not _SUBJECT.fullmatch(value):
        raise ValueError("names nobody: write team:NAME, key:NAME, organisation:NAME, or everyone")
    return value


def _field(value: str) -> str:
    if not _FIELD.fullmatch(value):
        raise ValueError("is no name of a field: 1 to 64 letters, digits and _ . -, a letter first")
    return value


def _url(value: str) -> str:
    # A page, not a base: it may have a query.
    check_url(value.partition("?")[0].partition("#")[0])
    return value


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError:
        raise ValueError("is no network: write it as 10.1.0.0/16, or one address") from None


def _base(value: str) -> str:
    if not BASE_NAME.fullmatch(value):
        raise ValueError(
            "is no name of a knowledge base: 1 to 64 letters, digits and - _ ., a letter or digit first; it is a file's"
            " name, and part of addresses"
        )
    return value


#: The name of a knowledge base.
BaseName = Annotated[
    str, AfterValidator(_base), WithJsonSchema({"type": "string", "pattern": f"^{BASE_NAME.pattern}$"})
]
#: The name of a group of people who may read a document.
Group = Annotated[str, AfterValidator(_group)]


class RowsConfig(Section):
    """How rows of CSV, TSV and JSONL files become documents of their own, called ``FILE#ID``."""

    split: bool = True
    """Make each row a document. Otherwise, and where a table has no first row of names, the file is one."""

    id: Annotated[str, Field(max_length=200)] = ""
    """The field that names a row; absent, ``id`` or ``_id``. Rows without one are called by a hash of what they say."""

    text: tuple[Annotated[str, Field(min_length=1, max_length=200)], ...] = ()
    """The fields that are a row's text; absent, the first of ``text``, ``content``, ``body`` that it has, else all of
    them, as lines of ``name: value``. Other fields are kept with the document: titles, dates and groups as such."""

    title: Annotated[str, Field(max_length=200)] = ""
    """The field that is a row's title; absent, ``title``."""


class SourceConfig(Section):
    """A folder, a file or a list of addresses that documents come from."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._ -]{0,63}$")] | None = None
    """What it is called; absent, the name of its folder, or ``web`` for addresses. Names of documents begin with it."""

    path: LocalPath | None = None
    """A folder, read with all that lies in it, or a file. Relative to the folder of the configuration."""

    urls: tuple[Annotated[str, AfterValidator(_url)], ...] = ()
    """Addresses of pages and files, in place of ``path``."""

    include: tuple[str, ...] = ()
    """Patterns of the files that are read, such as ``*.md`` or ``handbook/**``; absent, all."""

    exclude: tuple[str, ...] = ()
    """Patterns of the files and folders that are not."""

    hidden: bool = False
    """Read files and folders whose name begins with a dot, too."""

    ignore: bool = False
    """Leave out what the ``.gitignore`` files in the folder name."""

    every: PositiveDuration | None = None
    """Look for changes so often; absent, only when told to."""

    groups: tuple[Group, ...] = ()
    """Who may read its documents: groups under ``groups``; absent, everyone who may use the route. A document may name
    others in its front matter."""

    ttl: Duration = 0.0
    """How long after it was read a document may be used; ``0s`` for ever."""

    licence: str = ""
    """Under which licence its documents stand, as their citations show it."""

    consent: str = ""
    """On what grounds they may be used: a contract, a consent and its date."""

    fields: dict[Annotated[str, AfterValidator(_field)], str] = {}
    """Further fields of its documents, which questions may be narrowed by."""

    sidecar: bool = True
    """Read fields of ``FILE`` from ``FILE.meta.yaml`` beside it, where there is one."""

    rows: RowsConfig = Field(default_factory=RowsConfig)
    """How rows of CSV, TSV and JSONL files become documents."""

    networks: tuple[Annotated[str, AfterValidator(_network)], ...] = ()
    """Internal networks that its addresses may lead into, such as ``10.1.0.0/16``; without them only public addresses
    are fetched."""

    @model_validator(mode="after")
    def _either(self) -> Self:
        if (self.path is None) == (not self.urls):
            raise ValueError("needs either 'path' or 'urls'")
        return self


class ChunkConfig(Section):
    """How documents are cut into passages: along their headings, paragraphs, sentences, tables and code."""

    characters: int = Field(default=1200, ge=100, le=20_000)
    """The most that a passage has. Changing it makes a new version: see ``mainstay knowledge swap``."""

    least: int = Field(default=200, ge=0, le=5_000)
    """Shorter passages are joined to their neighbours where that fits."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.least * 2 > self.characters:
            raise ValueError("'least' may be half of 'characters' at most")
        return self


class IngestLimitsConfig(Section):
    """What one file may take to be read. What is larger is reported and left out, never cut."""

    size: Size = 64 * 1024 * 1024
    """Bytes."""

    pages: int = Field(default=2_000, ge=1, le=100_000)
    """Pages, slides or sheets."""

    characters: int = Field(default=5_000_000, ge=1_000, le=100_000_000)
    """Characters of text, of one row where rows are documents."""

    rows: int = Field(default=50_000, ge=1, le=1_000_000)
    """Rows that become documents of their own."""

    timeout: PositiveDuration = 120.0
    """For reading, or fetching, one file."""


class EmbedderConfig(Section):
    """A configured model that makes the vectors."""

    model: Name
    """A row of ``models`` that takes embeddings."""

    dimensions: int | None = Field(default=None, ge=1, le=8_192)
    """Length of its vectors, where it can be chosen."""


class RerankConfig(Section):
    """A configured model that reads question and passage together, and orders what was found by it."""

    model: Name
    """A row of ``models`` that takes rerank requests. It is asked over the running gateway, as embedders are."""

    most: int = Field(default=20, ge=1, le=100)
    """How many of the best passages it reads."""


class SearchConfig(Section):
    """How a base is searched. How many passages a question is given, of how many tokens, how sure the search must be
    and how long it may take stands with the route (``routes.X.knowledge``)."""

    candidates: int = Field(default=100, ge=10, le=1_000)
    """Passages that are found by words, and as many by meaning, before both are fused."""

    meaning: float | None = Field(default=None, ge=0, le=1)
    """The weight of meaning against words, 0 to 1; absent, the version's own, which ``mainstay knowledge eval --learn``
    finds."""

    diversity: float = Field(default=0.1, ge=0, le=0.9)
    """How much a passage loses for being like one before it, 0 to 0.9. Passages that are all but equal to one before
    them are left out in any case."""

    neighbours: int = Field(default=0, ge=0, le=5)
    """Passages before and after each that was found, of the same document, that are given with it."""

    rerank: RerankConfig | None = None
    """What orders the best passages anew; absent, nothing. What it does not answer in the route's time is left out."""


class KnowledgeStoreConfig(Section):
    """A database that keeps a knowledge base. A bare text is its ``url``."""

    url: Secret
    """``postgresql://USER@HOST/NAME``, by reference where it holds a password. The database needs the extension
    ``vector`` (pgvector); the driver is in the extra ``postgres``."""

    vectors: Literal["exact", "hnsw"] = "exact"
    """How passages are found by meaning: ``exact`` looks at all that may be seen, ``hnsw`` keeps an index, for bases of
    some 50,000 passages and more, which may miss some."""

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: SecretStr) -> SecretStr:
        if not _is_postgresql(url.get_secret_value()):
            raise ValueError("must be postgresql://USER@HOST/NAME")
        return url


def _is_postgresql(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("postgresql", "postgres") and bool(parts.path.strip("/")) and parts.port != 0
    except ValueError:
        return False


def _from_url(value: Any) -> Any:
    return {"url": value} if isinstance(value, str) else value


class KnowledgeConfig(Section):
    """A knowledge base."""

    sources: tuple[SourceConfig, ...] = ()
    """What it is filled from besides what is added by command and by API."""

    chunk: ChunkConfig = Field(default_factory=ChunkConfig)
    """How documents are cut into passages."""

    embedder: Literal["minilm", "static", "none"] | EmbedderConfig | None = None
    """What finds passages by their meaning: ``minilm`` and ``static`` run inside, from packages that are installed,
    ``none`` searches by words only, and ``model`` asks a configured model. Absent, ``minilm`` where it is installed.
    Changing it makes a new version."""

    groups: dict[Annotated[str, AfterValidator(_group)], tuple[Annotated[str, AfterValidator(_subject)], ...]] = {}
    """Who belongs to a group: ``team:NAME``, ``key:NAME``, ``organisation:NAME`` or ``everyone``."""

    search: SearchConfig = Field(default_factory=SearchConfig)
    """How it is searched."""

    store: Annotated[KnowledgeStoreConfig, BeforeValidator(_from_url), OrText()] | None = None
    """A database that keeps it for several machines; absent, a file in ``var/knowledge``. Move what there is with
    ``mainstay knowledge export`` and ``import``."""

    stale_after: PositiveDuration | None = None
    """A source that was not listed whole for so long is reported as stale; absent, three times its ``every``."""

    limits: IngestLimitsConfig = Field(default_factory=IngestLimitsConfig)
    """What one file may take."""

    @model_validator(mode="after")
    def _names(self) -> Self:
        names: list[str] = []
        for source in self.sources:
            name = source_name(source)
            if name in names:
                raise ValueError(f"two sources are called '{name}': give one of them another 'name'")
            names.append(name)
        return self


def source_name(source: SourceConfig) -> str:
    """Return what a source is called, and its documents' names begin with."""
    if source.name is not None:
        return source.name
    parts: Sequence[str] = (source.path or "").rstrip("/").split("/")
    return parts[-1] or "files" if source.path is not None else "web"
