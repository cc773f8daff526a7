"""Texts that come in pieces: what leaves is what the whole would give, and no part of what is found leaves with it."""

import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.guardrails.port import Finding
from mainstay.guardrails.restore import Restorer, restore
from mainstay.guardrails.secrets.scanner import KeyBlocks, SecretScanner
from mainstay.guardrails.watches import Blocks, Look, Watch
from mainstay.guardrails.window import Window


class Words:
    """Finds what a pattern matches; with ``eager``, it knows that nothing goes on behind a blank."""

    def __init__(self, pattern: str, kind: str, reach: int, *, eager: bool) -> None:
        self._pattern = re.compile(pattern)
        self._kind = kind
        self._eager = eager
        self.reach = reach
        self.stride = 1 if eager else reach // 2
        self.characters = 0
        self.scans = 0

    def scan(self, text: str) -> Sequence[Finding]:
        self.scans += 1
        self.characters += len(text)
        return [Finding(match.start(), match.end(), self._kind) for match in self._pattern.finditer(text)]

    def settled(self, text: str) -> int:
        if self._eager:
            return max(text.rfind(" ") + 1, len(text) - 2 * self.reach, 0)
        return max(0, len(text) - 2 * self.reach)


class Real:
    """A scanner of ours as what a watch looks with."""

    stride = 1

    def __init__(self, scanner: SecretScanner | KeyBlocks) -> None:
        self._scanner = scanner
        self.reach = scanner.reach
        self.scan = scanner.scan
        self.settled = scanner.settled


NUMBERS = Words(r"(?<!\w)#\d{2,5}(?!\w)", "number", 8, eager=False)
NAMES = Words(r"(?<!\w)[A-Z][a-z]{1,6} ?[A-Z][a-z]{1,6}(?!\w)", "name", 20, eager=False)
MARKS = Words(r"(?<!\S)[a-c\d#]{3,9}(?!\S)", "mark", 12, eager=True)
SECRETS, KEYS = Real(SecretScanner()), Real(KeyBlocks())
MAPPING = {"PERSON_k7q2m9xd": "Jane Roe", "EMAIL_00000000": "j@x.example"}

TEXTS = st.lists(
    st.one_of(
        st.sampled_from(
            ["#12", "#12345", "#1", "abc", "#123456 ", "Anna Berg", "AnnaBerg", "Anna", " ", "  ", ". ", "\n",
             "PERSON_", "PERSON_k7q2m9xd", "person\\_k7q2m9xd", "PERSON_k7q2m9x", "EMAIL_00000000", "aaa", "word", ""]
        ),
        st.text("ab#1 A", max_size=6),
    ),
    max_size=60,
).map("".join)  # fmt: skip
CUTS = st.lists(st.integers(1, 40), min_size=1, max_size=30)


def pieces(text: str, cuts: Sequence[int]) -> list[str]:
    found, at, turn = [], 0, 0
    while at < len(text):
        size = cuts[turn % len(cuts)]
        found.append(text[at : at + size])
        at, turn = at + size, turn + 1
    return found


def window(*looks: Look, holds: Sequence[bool] = (), known: bool = False, step: int = 64) -> Window:
    kept = [*holds, *[True] * len(looks)]
    watches = [Watch(number, look, holds=kept[number]) for number, look in enumerate(looks)]
    masks = {number for number in range(len(looks)) if kept[number]}
    return Window(
        watches,
        masks=lambda number, _: number in masks,
        known=(lambda: Restorer(MAPPING)) if known else None,
        step=step,
    )


def run(one: Window, parts: Sequence[str]) -> tuple[str, list[tuple[int, int, int, str]]]:
    out: list[str] = []
    noted: list[tuple[int, Finding]] = []
    for part in parts:
        if one.feed(part):
            found, text = one.take()
            noted += found
            out.append(text)
    one.close()
    found, text = one.take()
    noted += found
    out.append(text)
    assert one.held == 0
    return "".join(out), sorted((number, each.start, each.end, each.kind) for number, each in noted)


@settings(max_examples=100, deadline=None)
@given(TEXTS, CUTS, st.booleans(), st.sampled_from([1, 5, 64]))
def test_what_leaves_in_pieces_is_what_the_whole_gives(text: str, cuts: list[int], known: bool, step: int) -> None:
    looks = (NUMBERS, NAMES, MARKS)
    holds = (True, True, False)
    whole = run(window(*looks, holds=holds, known=known), [text] if text else [])
    assert run(window(*looks, holds=holds, known=known, step=step), pieces(text, cuts)) == whole


@settings(max_examples=60, deadline=None)
@given(TEXTS, CUTS)
def test_what_is_masked_is_what_the_scanners_find_in_the_whole(text: str, cuts: list[int]) -> None:
    said, noted = run(window(NUMBERS, NAMES), pieces(text, cuts))
    findings = [(0, *place(one)) for one in NUMBERS.scan(text)] + [(1, *place(one)) for one in NAMES.scan(text)]
    assert noted == sorted(findings)
    expected, at = [], 0
    for _, start, end, kind in sorted(findings, key=lambda one: one[1]):
        expected += [text[at:start], f"[{kind.upper()}]"]
        at = end
    assert said == "".join([*expected, text[at:]])


@settings(max_examples=60, deadline=None)
@given(TEXTS, CUTS)
def test_pseudonyms_are_given_back_as_a_restorer_does(text: str, cuts: list[int]) -> None:
    assert run(window(known=True), pieces(text, cuts))[0] == restore(text, MAPPING)


def place(one: Finding) -> tuple[int, int, str]:
    return one.start, one.end, one.kind


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_findings_that_overlap_have_one_label_and_neighbours_have_two(size: int) -> None:
    looks = (Words("aab", "one", 8, eager=True), Words("bcc", "two", 8, eager=True))
    assert run(window(*looks), pieces("x aabcc aab bccaab y", [size]))[0] == "x [ONE] [ONE] [TWO][ONE] y"


def test_what_consists_of_pseudonyms_is_no_finding() -> None:
    names = Words(r"[A-Z]\w+(?: [A-Z]\w+)*", "name", 60, eager=False)
    text = "of PERSON_k7q2m9xd and Anna Berg, EMAIL_00000000 PERSON_k7q2m9xd. "
    for size in (1, 4, 100):
        said, noted = run(window(names, known=True), pieces(text, [size]))
        assert said == "of Jane Roe and [NAME], j@x.example Jane Roe. "
        assert [kind for _, _, _, kind in noted] == ["name"]


SECRET_TEXTS = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "AKIAIOSFODNN7EXAMPLQ",
                'password = "tR4-kd9Wq_77"',
                "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
                "-----BEGIN RSA PRIVATE KEY-----\n",
                "MIIEpAIBAAKCAQEAx7Vd3m0y2hT1kq9bU5sJc8wZr4nE6pXo\n" * 3,
                "-----END RSA PRIVATE KEY-----",
                "-----BEGIN ",
                "so it goes on ",
                "\n",
                " ",
                "word",
            ]
        ),
        st.text(max_size=4),
    ),
    max_size=25,
).map("".join)


@settings(max_examples=40, deadline=None)
@given(SECRET_TEXTS, CUTS)
def test_secrets_in_pieces_are_masked_as_in_the_whole(text: str, cuts: list[int]) -> None:
    whole = run(window(SECRETS, KEYS), [text] if text else [])
    assert run(window(SECRETS, KEYS), pieces(text, cuts)) == whole
    findings = [one for scanner in (SECRETS, KEYS) for one in scanner.scan(text)]
    assert len(whole[1]) == len(findings)


@pytest.mark.parametrize("size", [1, 3, 64])
def test_ten_thousand_pieces_take_linear_work(size: int) -> None:
    works = []
    for count in (10_000, 20_000):
        eager, plain = Words(r"#\d+", "number", 880, eager=True), Words(r"#\d+", "number", 320, eager=False)
        one = window(eager, plain)
        for number in range(count):
            if one.feed("word #12 and more "[number % 18 :][:size].ljust(size, "z")):
                one.take()
        characters = count * size
        # The context in front, what is held back and what is new, every 64 characters; every 160, where all is held.
        assert eager.scans <= characters / 64 + 8
        assert eager.characters <= (characters / 64 + 8) * (880 + 64 + 64 + size)
        assert plain.characters <= (characters / 160 + 8) * (3 * 320 + 160 + 64 + size)
        works.append(eager.characters + plain.characters)
    assert works[1] <= 2.2 * works[0]


def test_a_text_without_an_end_of_a_word_takes_linear_work_and_bounded_room() -> None:
    look = Words(r"#\d+", "number", 100, eager=True)
    one = window(look)
    for _ in range(20_000):
        if one.feed("x"):
            one.take()
        assert one.held <= 2 * 100 + 64
    assert look.characters <= (20_000 / 64 + 8) * (3 * 100 + 64)


def test_a_first_word_leaves_at_its_end() -> None:
    one = window(MARKS)
    assert one.feed("Sure") is True
    assert one.take()[1] == ""
    said = ""
    for part in (" ", "I", " ", "c"):
        if one.feed(part):
            said += one.take()[1]
    assert said == "Sure I "


@given(st.text("abc ", max_size=80), CUTS, st.integers(1, 9))
def test_blocks_end_where_the_text_says_however_it_comes(text: str, cuts: list[int], size: int) -> None:
    def judged(parts: Sequence[str]) -> tuple[str, list[tuple[int, str]]]:
        one = Window([], [Blocks(0, size, holds=True)], masks=lambda *_: True)
        read: list[tuple[int, str]] = []
        out = []
        for part in [*parts, None]:
            if part is None:
                one.close()
            elif not one.feed(part):
                continue
            due, one.due = one.due, []
            for number, texts in due:
                read += texts
                one.judged(number, ["bad" if "aa" in each[1] else "" for each in texts])
            out.append(one.take()[1])
        return "".join(out), read

    said, read = judged([text] if text else [])
    assert judged(pieces(text, cuts)) == (said, read)
    assert all(one == text[start : start + len(one)] and len(one) <= 2 * size for start, one in read)
    covered = {place for start, one in read for place in range(start, start + len(one))}
    assert covered == set(range(len(text)))


@given(st.text("x#9 ", max_size=200), CUTS, st.booleans())
def test_of_a_finding_that_is_longer_than_it_may_be_nothing_leaves(text: str, cuts: list[int], known: bool) -> None:
    runs = Words("#+[#9]*", "run", 5, eager=False)
    said, _ = run(window(runs, known=known, step=3), pieces(text, cuts))
    assert said == re.sub("#+[#9]*", "[RUN]", text)
