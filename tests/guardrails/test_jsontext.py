"""JSON in pieces: read as what it means, written as it came, and JSON still where something is masked."""

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.guardrails.jsontext import JsonText

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-99, 10**9), st.text(max_size=8), st.sampled_from(["a\n#1", "é\\"])
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=4)),
    max_leaves=12,
)
CUTS = st.lists(st.integers(1, 9), min_size=1, max_size=20)


def pieces(text: str, cuts: Sequence[int]) -> list[str]:
    found, at, turn = [], 0, 0
    while at < len(text):
        size = cuts[turn % len(cuts)]
        found.append(text[at : at + size])
        at, turn = at + size, turn + 1
    return found


def read(one: JsonText, parts: Sequence[str]) -> str:
    return "".join(text for part in parts for text in one.read(part)) + one.finish()


@settings(max_examples=70, deadline=None)
@given(st.one_of(VALUES.map(json.dumps), st.text('{}[]",: \\u00e9n1a', max_size=40)), CUTS)
def test_what_is_kept_is_written_as_it_came(text: str, cuts: list[int]) -> None:
    one = JsonText()
    meant = read(one, pieces(text, cuts))
    assert read(JsonText(), [text] if text else []) == meant
    assert "".join(one.keep(part) for part in pieces(meant, cuts)) + one.close() == text


@settings(max_examples=70, deadline=None)
@given(VALUES, st.booleans(), st.data())
def test_json_stays_json_wherever_something_is_masked(value: Any, ascii_only: bool, data: st.DataObject) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    one = JsonText()
    meant = read(one, [text])
    start = data.draw(st.integers(0, len(meant)))
    end = data.draw(st.integers(start, len(meant)))
    middle = data.draw(st.integers(start, end))
    out = one.keep(meant[:start]) + one.mask(meant[start:middle], '["K"]', fresh=True)
    out += one.mask(meant[middle:end], "", fresh=False) + one.keep(meant[end:]) + one.close()
    json.loads(out)
    for part in strings(value):
        at = meant.find(part)
        if part.isalpha() and len(part) > 3 and meant.count(part) == 1 and start <= at and at + len(part) <= end:
            assert part not in out


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(one for inner in value.values() for one in strings(inner))]
    if isinstance(value, list):
        return [one for inner in value for one in strings(inner)]
    return [value] if isinstance(value, str) else []


def masked(text: str, part: str) -> str:
    one = JsonText()
    meant = read(one, [text])
    at = meant.index(part)
    out = one.keep(meant[:at]) + one.mask(meant[at : at + len(part)], "[X]", fresh=True)
    return out + one.keep(meant[at + len(part) :]) + one.close()


def test_a_mask_stands_in_each_string_that_it_touches() -> None:
    assert masked('{"a":"to Anna","b":"Berg or"}', 'Anna","b":"Berg') == '{"a":"to [X]","[X]":"[X] or"}'


def test_a_number_that_is_masked_becomes_a_string() -> None:
    assert masked('{"card": 4111, "n":[12,3]}', "4111") == '{"card": "[X]", "n":[12,3]}'
    assert masked('{"card": 4111}', "11") == '{"card": "[X]"}'


def test_escapes_are_read_as_what_they_mean_and_written_as_they_came() -> None:
    text = '{"a":"x\\u0040y\\n\\"\\ud83d\\ude00"}'
    one = JsonText()
    assert read(one, [text]) == '{"a":"x@y\n"\ufffd\ufffd"}'
    assert masked(text, "x@y") == '{"a":"[X]\\n\\"\\ud83d\\ude00"}'


def test_a_value_given_back_stands_once_in_its_string() -> None:
    one = JsonText()
    meant = read(one, ['{"a":"to ', 'NAME_1 now"}'])
    at = meant.index("NAME_1")
    out = one.keep(meant[:at]) + one.swap("NAME_1", 'J \\"x\\"') + one.keep(meant[at + 6 :])
    assert json.loads(out) == {"a": 'to J "x" now'}


def test_a_text_is_cut_where_a_whole_value_has_ended() -> None:
    assert JsonText().read('{"a":[1]} {"b":2} 3') == ['{"a":[1]}', ' {"b":2}', " 3"]
