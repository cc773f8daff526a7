"""The one argument of a custom tool, read while it comes."""

import pytest

from mainstay.providers.responses.argument import InputText, is_whole


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        (['{"input": "a', 'b"}'], "ab"),
        (['{"input":"a\\', "u00", 'e9"}'], "aé"),
        (['{"input":"\\ud83d"', "}"], "\ufffd"),
        (['{"input":"\\ud83dx"', "}"], "\ufffdx"),
        (['{"input":"cut in the mid'], "cut in the mid"),
        (['{"input":"cut\\u00'], "cut"),
        (['{"input":"a","more":"b"}'], "a"),
        (['{"patch":"x"}'], '{"patch":"x"}'),
        (['{"more":1,"input":"late"}'], "late"),
        (["plain ", "text"], "plain text"),
        (["{}"], ""),
        ([""], ""),
    ],
)
def test_an_input_is_handed_on_and_nothing_is_made_up(pieces: list[str], expected: str) -> None:
    reader = InputText()
    said = [reader.feed(piece) for piece in pieces]
    assert "".join([*said, reader.finish()]) == expected


@pytest.mark.parametrize(
    ("pieces", "whole"), [([], False), (["{"], False), (['{"a":1', "} "], True), (['{"a":"}'], False), (["1"], False)]
)
def test_arguments_are_whole_when_they_are_an_object(pieces: list[str], whole: bool) -> None:
    assert is_whole(pieces) is whole
