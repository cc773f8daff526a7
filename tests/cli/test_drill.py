"""``mainstay drill``."""

import json
from pathlib import Path

import pytest

SHOP = """\
providers:
  openai: {kind: openai, api_key: "${A_KEY_THAT_IS_NOT_SET}"}
  claude: {kind: anthropic, api_key: "file:/not/there"}
models: {mini: {provider: openai}, haiku: {provider: claude, name: claude-haiku-4-5}}
routes:
  assistant: {targets: [mini], fallback: [haiku]}
"""


def test_a_configuration_is_drilled_without_any_key(here) -> None:
    Path("mainstay.yaml").write_text(SHOP + "  alone: {targets: [mini]}\n")
    code, out, said = here(
        "drill --fast --fault 4,8 --fault 13 --dialect openai --mode whole -r assistant -r alone --json"
    )
    card = json.loads(out)
    scores = {(row["route"], row["fault"]): row["score"] for row in card["results"]}
    assert scores == {
        ("assistant", 4): "pass",
        ("assistant", 8): "pass",
        ("assistant", 13): "pass",
        # With nowhere to go, an error is the best there is.
        ("alone", 4): "safe",
        ("alone", 8): "safe",
        ("alone", 13): "pass",
    }
    assert (code, card["ok"], card["drilled"]) == (1, False, "Drilling assistant, alone of mainstay.yaml.")
    assert card["drilled"] in said
    assert not Path("var").exists()


def test_a_configuration_with_nowhere_to_go_gets_the_demonstration_and_a_card(here) -> None:
    code, out, said = here("drill --fast --fault 4 --dialect openai --mode stream -v")
    assert code == 0
    assert "no route with a fallback or a second target: drilling a built-in demonstration" in said
    assert "4. 503 always (demo, openai, stream): pass" in out
    assert out.rstrip().endswith("1 pass, 0 partial, 0 safe, 0 fail")


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("drill --fault 17", "'17' is no fault; there are 1 to 16."),
        ("drill --fault one", "'one' is no fault"),
        ("drill --route nope", "'nope' is no route; use 'assistant'."),
        ("drill --dialect cohere", "--dialect"),
        ("drill --config nowhere.yaml", "nowhere.yaml: cannot be read"),
    ],
)
def test_wrong_usage_ends_with_a_hint_and_exit_code_2(here, line: str, hint: str) -> None:
    code, out, said = here(line)
    assert (code, out) == (2, "")
    assert hint in " ".join(said.replace("│", "").split())


def test_a_wrong_configuration_ends_with_2(here) -> None:
    Path("mainstay.yaml").write_text(SHOP.replace("targets: [mini]", "targets: [maxi]"))
    code, _, said = here("drill")
    assert code == 2
    assert "'maxi' is no model under 'models'" in said


@pytest.mark.slow
def test_every_fault_is_borne_streamed_and_not_by_callers_of_both_wires(here) -> None:
    # Two routes, so that each wire is also the primary's own.
    Path("mainstay.yaml").write_text(SHOP + "  other: {targets: [haiku], fallback: [mini]}\n")
    code, out, _ = here("drill --fast --json")
    card = json.loads(out)
    missed = [row for row in card["results"] if row["score"] != "pass"]
    assert missed == []
    assert (code, len(card["results"])) == (0, 2 * 2 * 2 * 16)
