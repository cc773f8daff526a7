from bench.rows.drill import tally


def test_a_score_card_becomes_a_count_for_each_mode_and_a_note_for_each_fault_not_passed() -> None:
    row = {"fault": 1, "name": "429", "dialect": "openai", "mode": "stream", "score": "pass", "reasons": []}
    cut = {**row, "fault": 8, "name": "cut", "dialect": "anthropic", "score": "safe", "reasons": ["late"]}
    figures, notes = tally({"results": [row, {**row, "fault": 2}, cut]})
    assert (figures["drill_openai_stream"], figures["drill_anthropic_stream"]) == (2.0, 0.0)
    assert notes == ["drill: safe: 8. cut (anthropic, stream): late"]
