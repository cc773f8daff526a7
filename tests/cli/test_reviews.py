import json
from collections.abc import Callable
from pathlib import Path

import pytest

from support.reviews import ask, held_call, open_queue

Here = Callable[[str], tuple[int, str, str]]


@pytest.fixture
def reviews(tmp_path: Path) -> list[str]:
    """Leave three requests for a person, as a worker does."""
    queue = open_queue(tmp_path / "var")
    return [ask(queue, f"card {n}", user="jane") for n in range(3)]


def test_requests_are_listed_shown_and_decided(here: Here, reviews: list[str], tmp_path: Path) -> None:
    assert {one["id"] for one in json.loads(here("reviews list --json")[1])} == set(reviews)
    shown = here(f"reviews show {reviews[0]}")[1]
    assert "rail: cards" in shown
    assert "kinds: card 2" in shown
    assert '"content": "card 0"' in shown
    assert here(f"reviews approve {reviews[0]} --wrong")[:2] == (0, f"{reviews[0]} is approved.\n")
    assert here(f"reviews deny {reviews[1]} --reason Cards.")[:2] == (0, f"{reviews[1]} is denied.\n")
    code, _, said = here(f"reviews approve {reviews[1]}")
    assert (code, said) == (1, "mainstay: It is denied already; say that you decide again to replace that.\n")
    assert json.loads(here(f"reviews show {reviews[1]} --json")[1])["reason"] == "Cards."
    assert here("reviews list")[1].split("\t")[0] == reviews[2]
    assert here("reviews list --status denied --rail cards")[1].startswith(reviews[1])
    assert here("reviews list --status denied --rail else")[1] == ""
    worker = open_queue(tmp_path / "var")
    worker.refresh()
    assert worker.allowed(held_call(), "cards", b"card 0".hex())
    actions = [event["action"] for event in json.loads(here("audit list --action reviews --json")[1])]
    assert actions == ["reviews.deny", "reviews.approve"]


def test_decisions_are_exported_and_counted(here: Here, reviews: list[str]) -> None:
    here(f"reviews approve {reviews[0]} --wrong")
    here(f"reviews deny {reviews[1]}")
    lines = [json.loads(line) for line in here("reviews export")[1].splitlines()]
    assert [(one["id"], one["label"], one["score"]) for one in lines] == [
        (reviews[0], "false_positive", 0.75),
        (reviews[1], "true_positive", 0.75),
    ]
    assert not any("text" in one for one in lines)
    assert '"card 0"' in json.loads(here("reviews export --content --rail cards")[1].splitlines()[0])["text"]
    assert here("reviews export --rail else")[1] == ""
    (cards,) = json.loads(here("reviews stats --json")[1])
    assert (cards["held"], cards["open"], cards["precision"]) == (3, 1, 0.5)
    assert here("reviews stats")[1].split("\t")[8:] == ["0.500", "0.095 to 0.905\n"]
    exports = json.loads(here("audit list --action reviews.export --json")[1])
    assert len(exports) == 3


def test_what_makes_no_sense_is_refused(here: Here, reviews: list[str]) -> None:
    for line in ("reviews approve rev_0", "reviews show x", "reviews deny ../x"):
        code, _, said = here(line)
        assert code == 1
        assert said.startswith("mainstay: There is no review '")
    assert here("reviews list --status odd")[0] == 2
    assert here(f"reviews deny {reviews[0]} --reason {'x' * 501}")[0] == 1


def test_what_is_kept_of_someone_includes_their_reviews(here: Here, reviews: list[str], tmp_path: Path) -> None:
    found = json.loads(here("privacy find user:jane --json")[1])
    assert {(one["place"], one["id"]) for one in found} == {("reviews", review) for review in reviews}
    kept = {row["what"]: row for row in json.loads(here("privacy report --json")[1])}
    assert {name: kept["requests held for a person"][name] for name in ("until", "count", "sealed")} == {
        "until": "7d",
        "count": 3,
        "sealed": "0 of 3",
    }
    assert kept["reviews and decisions"]["count"] == 3
    (exported, *_) = [json.loads(line)["data"] for line in here("privacy export jane")[1].splitlines()]
    assert '"card 0"' in exported["request"]
    code, out, _ = here("privacy erase jane --yes")
    assert code == 0
    assert {one["place"]: one["count"] for one in json.loads(out)["removed"]}["reviews"] == 3
    assert here("reviews list --status all")[1] == ""
    assert b"card 0" not in b"".join(path.read_bytes() for path in (tmp_path / "var").rglob("*") if path.is_file())
