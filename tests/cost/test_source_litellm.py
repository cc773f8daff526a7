"""litellm's table, read."""

from decimal import Decimal
from typing import Any

import msgspec

from mainstay.cost.source_litellm import read_litellm

_decode = msgspec.json.Decoder(float_hook=Decimal).decode


def _one(entry: str, key: str = "m") -> Any:
    found = read_litellm({key: _decode(entry)})
    return next(iter(found["openai"].values())) if found else None


def test_rates_tiers_and_services_come_out_of_the_names_of_fields() -> None:
    rows = _one(
        '{"litellm_provider":"openai","mode":"chat","input_cost_per_token":1.25e-06,"output_cost_per_token":1e-05,'
        '"cache_read_input_token_cost":1.25e-07,"cache_creation_input_token_cost_above_1hr":2e-06,'
        '"input_cost_per_token_above_200k_tokens":2.5e-06,"input_cost_per_token_batches":6.25e-07,'
        '"input_cost_per_token_priority":2.5e-06,"input_cost_per_token_above_200k_tokens_priority":5e-06,'
        '"search_context_cost_per_query":{"search_context_size_medium":0.01}}'
    )
    assert rows == [
        {
            "input": Decimal("1.25"),
            "output": Decimal("10"),
            "cache_read": Decimal("0.125"),
            "cache_write_1h": Decimal("2"),
            "searches": Decimal("10"),
            "tiers": [{"above": 200_000, "input": Decimal("2.5")}],
            "services": {
                "batch": {"input": Decimal("0.625")},
                "priority": {"input": Decimal("2.5"), "tiers": [{"above": 200_000, "input": Decimal("5")}]},
            },
        }
    ]


def test_zeros_are_no_prices_unless_a_model_is_known_to_be_free() -> None:
    zeros = '"input_cost_per_token":0.0,"output_cost_per_token":0.0}'
    assert _one('{"litellm_provider":"openai","mode":"chat",' + zeros) is None
    assert _one('{"litellm_provider":"openai","mode":"moderation",' + zeros) == [{"input": 0, "output": 0}]
    half = '{"litellm_provider":"openai","mode":"embedding","input_cost_per_token":2e-08,"output_cost_per_token":0.0}'
    assert _one(half) == [{"input": Decimal("0.02")}]


def test_units_other_than_tokens_are_read() -> None:
    sound = '{"litellm_provider":"openai","mode":"audio_transcription","input_cost_per_second":0.0001}'
    assert _one(sound) == [{"audio_hour": Decimal("0.36")}]
    speech = '{"litellm_provider":"openai","mode":"audio_speech","input_cost_per_character":1.5e-05}'
    assert _one(speech) == [{"characters": Decimal("15")}]
    rank = '{"litellm_provider":"openai","mode":"rerank","input_cost_per_query":0.002,"input_cost_per_token":0.0}'
    assert _one(rank) == [{"rerank": Decimal("2")}]


def test_images_of_several_forms_are_one_model() -> None:
    entry = '{"litellm_provider":"openai","mode":"image_generation","input_cost_per_image":0.12}'
    rows = _one(entry, "hd/1024-x-1792/dall-e-3")
    assert rows == [{"images": {"hd/1024x1792": Decimal("0.12")}}]


def test_steps_of_a_list_and_quiet_hours_become_tiers_and_rows() -> None:
    rows = _one(
        '{"litellm_provider":"openai","mode":"chat","tiered_pricing":[{"range":[0,1000.0],"input_cost_per_token":1e-06,'
        '"output_cost_per_token":2e-06},{"range":[1000.0,9000.0],"input_cost_per_token":3e-06}],'
        '"off_peak_pricing":{"input_cost_per_token":5e-07,"windows":[{"hours_utc":["00:00-01:00"],"weekdays":[1]},'
        '{"hours_utc":"00:00-00:00","weekdays":[6,7]}]}}'
    )
    assert rows[0] == {"input": 1, "output": 2, "tiers": [{"above": 1000, "input": 3}]}
    assert [(row["input"], row.get("hours"), row["days"]) for row in rows[1:]] == [
        (Decimal("0.5"), ["00:00:00", "01:00:00"], [1]),
        (Decimal("0.5"), None, [6, 7]),
    ]


def test_what_nobody_can_be_asked_for_here_is_left_out() -> None:
    assert _one('{"litellm_provider":"openai","mode":"video_generation","output_cost_per_second":0.1}') is None
    assert read_litellm({"sample_spec": {"mode": "chat", "litellm_provider": "openai"}}) == {}
