"""What people do with knowledge, method by method, on a home of its own and with a kit that needs nothing installed."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from mainstay.core.audit import Details
from mainstay.core.errors import Conflict, InvalidRequest, NotFound
from mainstay.grounding.chunks import Sizes
from mainstay.grounding.config import KnowledgeConfig
from mainstay.grounding.port import Embedder, Meta, Version
from mainstay.grounding.reports import Tools
from mainstay.grounding.search import Manner, manner_of
from mainstay.grounding.service import Knowledge

WARRANTY = b"# Warranty\n\nThe warranty of the lantern lasts two years from the day of delivery.\n"
OIL = b"# Oil\n\nWhale oil is forbidden in every lantern of the harbour.\n"
#: Words and the direction that each points in.
WORDS = ("warranty", "lantern", "oil", "harbour")


class Counting:
    """An embedder: a direction for each word that it knows."""

    dimensions = len(WORDS)

    def __init__(self, name: str = "counting") -> None:
        self.name = name

    def embed(self, texts: Sequence[str], kind: Literal["question", "passage"]) -> NDArray[np.float32]:
        rows = np.array([[text.lower().count(word) + 0.01 for word in WORDS] for text in texts], np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class Kit:
    """What knowledge is read with: text only; ``embedding`` is what new versions are made with."""

    def __init__(self) -> None:
        self.embedding: Embedder | None = None
        self.networks: list[tuple[str, ...]] = []

    def wanted(self, row: KnowledgeConfig) -> Embedder | None:
        return None if row.embedder == "none" else self.embedding

    def embedder(self, row: KnowledgeConfig, version: Version) -> Embedder | None:
        return Counting(version.embedder) if version.embedder else None

    def manner(self, row: KnowledgeConfig) -> Manner:
        return manner_of(row.search)

    def tools(self, row: KnowledgeConfig, embedder: Embedder | None, networks: Sequence[str] = ()) -> Tools:
        self.networks.append(tuple(networks))
        return Tools(embedder=embedder, limits=row.limits, sizes=Sizes(row.chunk.characters, row.chunk.least))


class Office:
    """Knowledge, its kit, and what it told."""

    def __init__(self, home: Path) -> None:
        self.kit = Kit()
        self.noted: list[tuple[str, str, Details]] = []
        self.forgotten: list[tuple[str, tuple[str, ...]]] = []
        self.rows: dict[str, KnowledgeConfig] = {}
        self.knowledge = Knowledge(
            home,
            self.rows,
            self.kit,
            "uid:7",
            lambda *event: self.noted.append(event),
            lambda base, passages: self.forgotten.append((base, tuple(passages))),
        )


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path / "var")
    with made.knowledge:
        yield made


def put(office: Office, name: str = "warranty.md", data: bytes = WARRANTY, **known: object) -> str:
    """Put a document; return its one passage."""
    office.knowledge.put("handbook", name, data, Meta(**known))  # type: ignore[arg-type]  # what the test says
    (passage,) = office.knowledge.document("handbook", name).passages
    return passage.name


def texts(office: Office, question: str, **how: object) -> list[str]:
    found = office.knowledge.search("handbook", question, **how)  # type: ignore[arg-type]  # what the test says
    return [source.text for source in found.sources]


def test_every_change_is_told_with_ids_and_counts_and_no_words(office: Office) -> None:
    passage = put(office)
    office.knowledge.correct("handbook", "warranty.md", "two years", "three years", why="New terms.")
    office.knowledge.retract("handbook", "warranty.md", why="Withdrawn.")
    office.knowledge.unretract("handbook", "warranty.md", why="A mistake.")
    assert [(action, subject) for action, subject, _ in office.noted] == [
        (f"knowledge.{what}", "knowledge:handbook") for what in ("add", "edit", "retract", "unretract")
    ]
    assert not any("warranty" in str(details) or "terms" in str(details) for _, _, details in office.noted)
    assert [(one.who, one.why) for one in office.knowledge.history("handbook")][:3] == [
        ("uid:7", "A mistake."),
        ("uid:7", "Withdrawn."),
        ("uid:7", "New terms."),
    ]
    assert ("handbook", (passage,)) in office.forgotten


@pytest.mark.parametrize("why", ["", "  "])
def test_who_corrects_or_takes_out_says_why(office: Office, why: str) -> None:
    put(office)
    knowledge = office.knowledge
    for act in (
        lambda: knowledge.edit("handbook", "warranty.md", "x", why=why),
        lambda: knowledge.correct("handbook", "", "two", "three", why=why),
        lambda: knowledge.retract("handbook", "warranty.md", why=why),
        lambda: knowledge.unretract("handbook", "warranty.md", why=why),
    ):
        with pytest.raises(InvalidRequest):
            act()
    assert texts(office, "warranty") == [WARRANTY.decode().strip()]


def test_a_document_a_passage_and_a_fact_can_be_corrected(office: Office) -> None:
    passage = put(office)
    put(office, "oil.md", OIL)
    office.knowledge.edit("handbook", passage, "# Warranty\n\nThe warranty of the lantern lasts a day.", why="Less.")
    assert texts(office, "warranty", most=1) == ["# Warranty\n\nThe warranty of the lantern lasts a day."]
    office.knowledge.edit("handbook", "oil.md", "# Oil\n\nRape oil only.", why="Rewritten.")
    assert texts(office, "rape oil", most=1) == ["# Oil\n\nRape oil only."]
    # Everywhere it stands.
    written = office.knowledge.correct("handbook", "", "lantern", "lamp", why="A better word.")
    assert len(written.closed) == len(written.opened) == 1
    with pytest.raises(NotFound):
        office.knowledge.correct("handbook", "oil.md", "lamp", "torch", why="It is not there.")


def test_a_citation_opens_after_a_correction_and_not_after_a_retraction(office: Office) -> None:
    passage = put(office)
    opened = office.knowledge.open_passage("handbook", passage)
    assert (opened.state, opened.before, opened.source.text) == ("alive", "", WARRANTY.decode().strip())
    office.knowledge.correct("handbook", "warranty.md", "two", "three", why="New terms.")
    assert office.knowledge.open_passage("handbook", passage).state == "superseded"
    office.knowledge.retract("handbook", fact="two years", why="Wrong.")
    with pytest.raises(NotFound):
        office.knowledge.open_passage("handbook", passage)


def test_what_is_retracted_is_not_put_again(office: Office) -> None:
    put(office)
    office.knowledge.retract("handbook", "warranty.md", erase=True, why="Asked for.")
    with pytest.raises(Conflict):
        office.knowledge.put("handbook", "other.md", WARRANTY, Meta())
    assert office.noted[-1][0] == "knowledge.erase"
    assert [one.kind for one in office.knowledge.retracted("handbook")] == ["document"]


def test_what_a_caller_says_of_a_document_counts_before_what_it_says_itself(office: Office) -> None:
    put(office, data=b"---\ntitle: Own\nlicence: CC0\n---\n" + WARRANTY, title="Given", fields={"year": "2026"})
    (row,) = office.knowledge.documents("handbook")
    assert (row.meta.title, row.meta.licence, row.meta.fields["year"]) == ("Given", "CC0", "2026")
    for data in (b"", b"\x89PNG\r\n\x1a\n" + bytes(64)):
        with pytest.raises(InvalidRequest, match=r"^'picture' "):
            office.knowledge.put("handbook", "picture", data, Meta())


def test_a_version_with_other_vectors_is_built_from_the_documents_of_the_live_one(office: Office) -> None:
    put(office)
    put(office, "oil.md", OIL, groups=("crew",))
    before = texts(office, "oil harbour")
    office.kit.embedding = Counting()
    told = []
    made = office.knowledge.build("handbook", "next", told=told.append)
    assert (made.state, made.embedder, made.parent) == ("ready", "counting", "main")
    assert [at.done for at in told] == [0]
    assert texts(office, "oil harbour") == before
    found = office.knowledge.search("handbook", "oil harbour", version="next")
    assert (found.pin.version, found.sources[0].document, found.late) == ("next", "oil.md", ())
    assert texts(office, "oil", version="next", groups=frozenset()) == [WARRANTY.decode().strip()]
    with pytest.raises(Conflict):
        office.knowledge.build("handbook", "next", embedder="none")
    # A correction meanwhile is brought over before the swap.
    office.knowledge.correct("handbook", "oil.md", "forbidden", "welcome", why="Repealed.")
    with pytest.raises(Conflict):
        office.knowledge.swap("handbook", "next")
    assert office.knowledge.build("handbook", "next").state == "ready"
    office.knowledge.swap("handbook", "next")
    assert any("welcome" in text for text in texts(office, "oil harbour"))


def test_a_build_that_was_cut_off_goes_on(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(20):
        put(office, f"{number}.md", f"# Lantern {number}\n\nIts number is {number}.".encode())
    office.kit.embedding = Counting()

    def stop(at: object) -> None:
        if getattr(at, "done") > 0:  # noqa: B009 - of whatever type it is
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        office.knowledge.build("handbook", "next", told=stop)
    states = {one.name: one.state for one in office.knowledge.versions("handbook")}
    assert states == {"main": "live", "next": "building"}
    told = []
    assert office.knowledge.build("handbook", "next", told=told.append).state == "ready"
    assert [at.total for at in told] == [4]
    office.knowledge.swap("handbook", "next", expect="main")
    assert office.knowledge.base("handbook").documents == 20
    assert office.knowledge.rollback("handbook").name == "main"


def test_questions_that_people_judged_say_how_well_a_version_finds(office: Office) -> None:
    passage = put(office)
    put(office, "oil.md", OIL)
    lines = [
        '{"question": "warranty", "relevant": ["warranty.md"]}',
        '{"question": "whale oil", "relevant": {"warranty.md": 1}}',
    ]
    found = office.knowledge.evaluate("handbook", lines)
    assert (found.one.version, found.one.questions, found.one.mrr, found.other) == ("main", 2, 0.5, None)
    by_passage = office.knowledge.evaluate("handbook", [f'{{"question": "warranty", "relevant": ["{passage}"]}}'])
    assert by_passage.one.ndcg == 1.0
    both = office.knowledge.evaluate("handbook", lines, against="main")
    assert both.gain is not None
    assert both.other is not None
    assert (both.gain.gain, both.other.ndcg) == (0.0, both.one.ndcg)


def test_a_weight_is_learnt_only_from_enough_questions(office: Office) -> None:
    put(office)
    learned = office.knowledge.learn("handbook", ['{"question": "warranty", "relevant": ["warranty.md"]}'])
    assert (learned.weight, learned.before) == (learned.before, learned.before)
    assert not any(action == "knowledge.weigh" for action, _, _ in office.noted)


def test_places_are_sources_of_their_own(office: Office, tmp_path: Path) -> None:
    folder = tmp_path / "guides"
    folder.mkdir()
    (folder / "warranty.md").write_bytes(WARRANTY)
    (tmp_path / "oil.md").write_bytes(OIL)
    reports = office.knowledge.add("handbook", [str(folder), str(tmp_path / "oil.md")], {"groups": ("crew",)})
    assert [(report.source, report.added) for report in reports] == [("guides", 1), ("oil.md", 1)]
    names = {row.document: row.meta.groups for row in office.knowledge.documents("handbook")}
    assert names == {"guides/warranty.md": ("crew",), "oil.md": ("crew",)}
    for places in (["ftp://x"], [str(tmp_path / "lost")], []):
        with pytest.raises(InvalidRequest):
            office.knowledge.add("handbook", places)
    with pytest.raises(InvalidRequest, match=r"^groups"):
        office.knowledge.add("handbook", [str(folder)], {"groups": ("no group",)})


def test_a_base_of_the_configuration_is_listed_before_it_has_a_file(office: Office) -> None:
    office.rows["planned"] = KnowledgeConfig()
    put(office)
    shown = {one.name: (one.documents, one.configured) for one in office.knowledge.bases()}
    assert shown == {"handbook": (1, False), "planned": (0, True)}
    with pytest.raises(NotFound):
        office.knowledge.search("planned", "x")


def test_a_base_goes_to_another_home_and_back(office: Office, tmp_path: Path) -> None:
    passage = put(office)
    size = office.knowledge.export("handbook", tmp_path / "handbook.mainstay")
    assert size == (tmp_path / "handbook.mainstay").stat().st_size
    other = Office(tmp_path / "elsewhere")
    with other.knowledge:
        other.knowledge.import_("handbook", tmp_path / "handbook.mainstay")
        assert other.knowledge.open_passage("handbook", passage).source.text == WARRANTY.decode().strip()
        assert texts(other, "warranty") == texts(office, "warranty")


def test_a_base_is_searched_as_its_row_says(office: Office) -> None:
    for number in range(4):
        text = f"# Part {number}\n\n{'The lantern burns. ' * 30}\n\n# More\n\n{'Oil is dear. ' * 60}"
        office.knowledge.put("kb", f"{number}.md", text.encode(), Meta())
    alone = office.knowledge.search("kb", "lantern", most=1).sources
    office.rows["kb"] = KnowledgeConfig.model_validate({"search": {"neighbours": 2}})
    among = office.knowledge.search("kb", "lantern", most=2).sources
    assert (len(alone), len(among), among[0].passage) == (1, 2, alone[0].passage)
    assert (among[1].document, "lantern" in among[1].text) == (alone[0].document, False)
