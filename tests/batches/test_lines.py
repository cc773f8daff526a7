"""Lines of a batch: what is checked, written and found again."""

import io
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mainstay.batches.config import BatchesConfig
from mainstay.batches.lines import check, read_rows, recover, write_answer, write_fault

RULES = BatchesConfig(max_requests=10, max_line="4KiB")  # type: ignore[arg-type]  # as people write it
CHAT = "/v1/chat/completions"
ROW = {"custom_id": "a", "method": "POST", "url": CHAT, "body": {"model": "m", "messages": []}}


def checked(*lines: Any) -> tuple[int, list[tuple[str, int | None, str | None]]]:
    data = b"".join((row if isinstance(row, bytes) else json.dumps(row).encode()) + b"\n" for row in lines)
    total, flaws = check(io.BytesIO(data), CHAT, RULES)
    return total, [(flaw.code, flaw.line, flaw.param) for flaw in flaws]


def test_a_sound_file_has_no_flaw() -> None:
    assert checked(ROW, b"", {**ROW, "custom_id": "b", "more": 1}) == (2, [])


def test_each_flaw_names_its_line_and_field() -> None:
    without = {name: value for name, value in ROW.items() if name != "custom_id"}
    assert checked(without)[1] == [("invalid_request_line", 1, "custom_id")]
    assert checked({**ROW, "custom_id": 7})[1] == [("invalid_request_line", 1, "custom_id")]
    assert checked({**ROW, "custom_id": ""})[1] == [("invalid_custom_id", 1, "custom_id")]
    assert checked({**ROW, "body": {"messages": []}})[1] == [("invalid_body", 1, "body")]
    assert checked({**ROW, "body": {"model": "m", "stream": True}})[1] == [("invalid_body", 1, "body.stream")]
    assert checked(ROW, b"", ROW)[1] == [("duplicate_custom_id", 3, "custom_id")]
    assert checked(b"\xff")[1] == [("invalid_json_line", 1, None)]
    assert checked() == (0, [("empty_file", None, None)])


def test_a_line_over_the_limit_ends_the_check() -> None:
    assert checked({**ROW, "more": "x" * 5000}, b"{")[1] == [("line_too_long", 1, None)]
    assert checked(*({**ROW, "custom_id": str(n)} for n in range(11)))[1] == [("too_many_requests", 11, None)]


def test_no_more_than_a_hundred_flaws_are_told() -> None:
    rules = BatchesConfig()
    _, flaws = check(io.BytesIO(b"{\n" * 300), CHAT, rules)
    assert len(flaws) == 100


@given(st.binary(max_size=300))
def test_no_file_crashes_the_check(data: bytes) -> None:
    total, flaws = check(io.BytesIO(data), CHAT, RULES)
    assert flaws
    assert total >= 0


ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


@given(ids, st.recursive(st.none() | st.integers() | ids, lambda s: st.lists(s) | st.dictionaries(ids, s)))
def test_an_answer_is_one_line_whatever_is_in_it(custom_id: str, body: Any) -> None:
    line = write_answer(custom_id, 200, "request", json.dumps(body, indent=2).encode())
    assert line.count(b"\n") == 1
    said = json.loads(line)
    assert said["custom_id"] == custom_id
    assert said["response"] == {"status_code": 200, "request_id": "request", "body": body}
    assert said["error"] is None


@given(st.lists(ids, unique=True, max_size=6), st.integers(min_value=0, max_value=2000))
def test_whole_lines_are_found_again_wherever_the_file_was_cut(names: list[str], cut: int) -> None:
    lines = [write_fault(name, "code", "message") for name in names]
    data = b"".join(lines)[:cut]
    size, done = recover(io.BytesIO(data))
    whole = [n for n in range(len(lines)) if len(b"".join(lines[: n + 1])) <= cut]
    assert done == {names[n] for n in whole}
    assert size == sum(len(lines[n]) for n in whole)


def test_zeros_at_the_end_of_a_file_are_no_line() -> None:
    line = write_fault("a", "code", "message")
    assert recover(io.BytesIO(line + b"\0" * 50 + b"\n")) == (len(line), {"a"})


def test_rows_are_read_as_they_were_checked() -> None:
    (row,) = read_rows(io.BytesIO(b"\n" + json.dumps(ROW).encode() + b"\n\n"))
    assert (row.custom_id, row.url, json.loads(bytes(row.body))) == ("a", CHAT, ROW["body"])
