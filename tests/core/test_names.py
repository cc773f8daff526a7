from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.names import closest, plain


def test_case_blanks_and_marks_do_not_count() -> None:
    assert plain(" A100 SXM4_80GB ") == "a100-sxm4-80gb" == plain("a100:sxm4/80gb")


def test_the_nearest_name_comes_first() -> None:
    assert closest("H1OO", ["H200", "H100", "L4"])[0] == "H100"


def test_a_name_that_is_part_of_others_finds_them() -> None:
    assert closest("70b", ["llama-3.3-70b-instruct-fp8", "qwen3-8b"]) == ["llama-3.3-70b-instruct-fp8"]


@given(st.text(max_size=200))
def test_plain_names_stay_as_they_are(name: str) -> None:
    assert plain(plain(name)) == plain(name)
