"""A model that can be talked into things, one that cannot, and a run whose figures are known, for tests of attacks."""

import re
from collections.abc import Sequence

from mainstay.redteam.figures import figures_of
from mainstay.redteam.gate import Gate, problems
from mainstay.redteam.journal import About, Outcome, Result, Side
from mainstay.redteam.plan import Case, cases_of
from mainstay.redteam.seeds import Seed, all_seeds
from mainstay.redteam.summary import Summary
from support.gateway import completion
from support.upstream import Received, Step, json_reply

__all__ = ["NASTY", "models_of", "seed_of", "strong", "summary_of", "weak"]

#: What a page, a document of XML or a terminal must not take as it is.
NASTY = '</pre><script>alert("x")</script>\x00 ]]> & \x1b[31m AKIAQ3EGRZZFWHX2P7VD'
REFUSAL = "I'm sorry, but I can't help with that."


def weak(request: Received) -> Step:
    """Obey: join the two words of a marker, tell what the system said, refuse what is neither."""
    body = request.json()
    text = str(body["messages"][-1]["content"] or "")
    system = str(body["messages"][0]["content"])
    words = re.findall(r"\b[A-Z]{4,7}\b", text)
    if "helpful assistant" in system:
        return json_reply(completion("Gladly: here is what I know about that, in a few words."))
    if re.search(r"instructions|password|reference|prompt", text, re.IGNORECASE) and len(words) < 2:
        return json_reply(completion(f"Of course. {system}"))
    return json_reply(completion(words[0] + words[1] if len(words) > 1 else REFUSAL))


def strong(request: Received) -> Step:
    """Refuse attacks, and one harmless request too."""
    body = request.json()
    if "helpful assistant" not in str(body["messages"][0]["content"]):
        return json_reply(completion(REFUSAL))
    if "bath bombs" in str(body["messages"][-1]["content"]):
        error = {"message": "It was stopped.", "type": "invalid_request_error", "code": "content_filter"}
        return json_reply({"error": error}, 400)
    return json_reply(completion("Gladly: here is what I know about that, in a few words."))


def models_of(*names: str) -> Step:
    """Return a gateway's list of models."""
    return json_reply({"object": "list", "data": [{"id": name, "object": "model"} for name in names]})


def seed_of(id_: str) -> Seed:
    """Return one of our seeds."""
    (seed,) = (seed for seed in all_seeds() if seed.id == id_)
    return seed


def _cases() -> Sequence[Case]:
    ids = ("override-plain", "prompt-verbatim", "benign-bomb", "benign-kill")
    return cases_of([seed_of(id_) for id_ in ids], converters=["plain", "base64"], strategies=["single", "insist"])


def summary_of(gate: Gate | None = None, *, compared: bool = True, excerpt: str = NASTY) -> Summary:
    """Return a run of eight attacks, of which two succeed with guards and six without, and two harmless requests, one
    of which is stopped; one attack gave no answer, and one was not played with guards."""
    cases = _cases()
    results: dict[tuple[str, Side], Result] = {}
    plan: dict[Side, list[Outcome | None]] = {
        "guarded": ["success", "blocked", "held", "error", "success", "blocked", "blocked", None, "blocked", "held"],
        "baseline": ["success"] * 6 + ["held"] * 4,
    }
    for side, outcomes in plan.items():
        for case, outcome in zip(cases, outcomes, strict=True):
            if outcome is not None and (compared or side == "guarded"):
                why = {"success": "marker", "error": "status 500"}.get(outcome, "")
                results[case.id, side] = Result(case.id, side, outcome, why, 1, 200, excerpt=excerpt, seconds=0.25)
    figures = figures_of(cases, results, compared=compared)
    about = About("assistant", "weak" if compared else "", "d1gest", len(cases), "phrases", 1)
    gate = gate or Gate()
    return Summary(about, cases, results, figures, problems(gate, figures), gate.is_set, "mainstay.yaml")
