"""The measure of languages counts what was right, wrong and not told, and times what it is given."""

from bench.languages import judge, microseconds
from bench.sentences import MIXED, NOTHING, SENTENCES

from mainstay.guardrails.port import Guess


class English:
    def detect(self, text: str) -> Guess:
        return Guess("en", sure=True) if "the" in text else Guess()


def test_every_text_is_counted_once() -> None:
    judged = judge(English())
    assert {kind: sum(counts) for kind, counts in judged.items()} == {
        "a few words": len(SENTENCES),
        "a sentence": len(SENTENCES),
        "two languages": len(MIXED),
        "no language": len(NOTHING),
    }
    right, wrong, untold = judged["a few words"]
    assert right == 1
    assert wrong == sum("the" in short for short, _ in SENTENCES.values()) - 1
    assert untold == len(SENTENCES) - right - wrong


def test_a_measured_act_was_done_and_takes_time() -> None:
    done: list[int] = []
    assert microseconds(lambda: done.append(1), seconds=0.01) > 0
    assert len(done) >= 100
