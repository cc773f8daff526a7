"""The two texts of an answer, and where claims end in them, however it comes."""

from hypothesis import given
from hypothesis import strategies as st

from mainstay.grounding.claims import Claims
from mainstay.grounding.spoken import ClaimEnd, Spoken, Words

WORDS = [
    "Cats purr", "The dog is old", "It is 3.5 m", "e.g. so", ". ", ".", "? ", "\n", "\n\n", "- ", " [1]", "[1]",
    " [2][3]", "[9]", " [1, 9]",
    ", and the cat is new", "; it was red", "`x[1]`", "[1](u)", " ", "  ", "```\n", "# Head\n", "[",
    "| a | b |\n",
]  # fmt: skip


def read(
    text: str, cuts: tuple[int, ...] = (), *, keep: bool = True
) -> tuple[str, str, list[tuple[int, ClaimEnd]], int]:
    spoken = Spoken(3, Claims(), keep=keep)
    pieces = []
    last = 0
    for cut in (*sorted(cuts), len(text)):
        pieces += spoken.feed(text[last:cut])
        last = cut
    visible = clean = ""
    ends: list[tuple[int, ClaimEnd]] = []
    for piece in [*pieces, *spoken.finish()]:
        if isinstance(piece, Words):
            visible += piece.visible
            clean += piece.clean
        else:
            ends.append((len(visible), piece))
    return visible, clean, ends, spoken.invented


def test_marks_belong_to_the_claim_that_they_stand_in_or_behind() -> None:
    visible, clean, ends, _ = read(
        "Cats purr a lot [1]. Dogs bark at night. [2][3] Birds do not.\n[1] Fish swim in it."
    )
    assert visible == "Cats purr a lot [1]. Dogs bark at night. [2][3] Birds do not.\n[1] Fish swim in it."
    assert clean == "Cats purr a lot. Dogs bark at night. Birds do not.\n Fish swim in it."
    assert [(one.text, one.numbers) for _, one in ends] == [
        ("Cats purr a lot.", (1,)),
        ("Dogs bark at night.", (2, 3)),
        ("Birds do not.", ()),
        ("Fish swim in it.", (1,)),
    ]


def test_clauses_of_one_sentence_have_their_own_marks_and_end_together() -> None:
    _, _, ends, _ = read("The cat is old [1], and the dog is young [2]. More.")
    assert [(place, one.numbers, one.joined) for place, one in ends[:2]] == [(46, (1,), True), (46, (2,), False)]


def test_what_is_taken_out_leaves_no_blank_before_a_full_stop() -> None:
    assert read("It is so [1]. And so [9], too [2] we think.", keep=False)[0] == "It is so. And so, too we think."
    assert read("It is so [9]. And [1] more.", keep=True)[0] == "It is so. And [1] more."
    assert read("Yes [1]", keep=False)[0] == "Yes"
    assert read("[1] Yes and no.", keep=False)[0] == "Yes and no."


@given(st.lists(st.sampled_from(WORDS), max_size=14).map("".join), st.booleans(), st.data())
def test_text_claims_and_marks_are_the_same_however_the_text_is_cut(text: str, keep: bool, data: st.DataObject) -> None:
    cuts = tuple(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    whole = read(text, keep=keep)
    assert read(text, cuts, keep=keep) == whole
    assert read(text, tuple(range(len(text))), keep=keep) == whole


@given(st.lists(st.sampled_from(WORDS), max_size=14).map("".join))
def test_each_claim_is_what_stands_at_its_place(text: str) -> None:
    _, clean, ends, _ = read(text)
    for _, one in ends:
        assert clean[one.start : one.end] == one.text
