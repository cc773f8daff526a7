import os
import re
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from mainstay.core import ids
from mainstay.core.ids import uuid7

FORM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def test_an_id_is_a_uuid_of_version_7_that_tells_its_millisecond() -> None:
    before = time.time_ns() // 1_000_000
    made = [uuid7() for _ in range(1000)]
    after = time.time_ns() // 1_000_000
    for text in made:
        read = uuid.UUID(text)
        assert (read.version, read.variant, str(read)) == (7, uuid.RFC_4122, text)
        assert FORM.fullmatch(text)
        assert before <= read.int >> 80 <= after


def test_ids_rise_also_when_the_clock_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_800_000_000_000_000_000
    monkeypatch.setattr(ids, "_last", 0)
    readings = [now, now, now + 999_999, now + 1_000_000, now - 5_000_000_000, now - 5_000_000_000, now + 2_000_000]
    monkeypatch.setattr(time, "time_ns", iter(readings).__next__)
    made = [uuid7() for _ in readings]
    assert all(one < other for one, other in pairwise(made))
    assert made[-1].startswith("01a3185c-5002-7")


def test_all_endings_differ_and_use_every_digit() -> None:
    endings = [uuid7()[19:] for _ in range(2000)]
    assert len(set(endings)) == 2000
    for place in range(17):
        digits = {ending[place] for ending in endings}
        assert digits == ({"-"} if place == 4 else set("89ab") if place == 0 else set("0123456789abcdef"))


def test_a_forked_process_ends_its_ids_otherwise() -> None:
    uuid7()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, "\n".join(uuid7()[19:] for _ in range(20)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        theirs = set(pipe.read().split("\n"))
    ours = {uuid7()[19:] for _ in range(300)}
    assert len(theirs) == 20
    assert not theirs & ours


def test_threads_never_make_the_same_id() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: [uuid7() for _ in range(500)], range(16)))
    assert len({text for part in made for text in part}) == 8000
