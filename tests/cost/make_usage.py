"""``python -m tests.cost.make_usage``: writes the fixtures of usage, with what the oracle says that each costs.

Shapes are those of the vendors' SDKs and documents; numbers are drawn, the same ones each time. Prices are copied from
the catalogue into ``prices.json``, so that a newer catalogue changes no fixture.
"""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.cost.oracle import bill

HERE = Path(__file__).parent / "usage"
Case = dict[str, Any]
_TEXT = {"role": "assistant", "content": "Hi"}
#: Shape, kind of provider and models of those that answer in conversations.
CHATS = (
    (
        "openai",
        "openai",
        ("gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-5", "gpt-5.5", "o3", "o4-mini", "gpt-4o-2024-05-13"),
    ),
    ("deepseek", "deepseek", ("deepseek-v4-pro", "deepseek-flash")),
    ("xai", "xai", ("grok-4.3", "grok-4.7", "grok-3-mini")),
    ("openai", "groq", ("openai/gpt-oss-120b", "openai/gpt-oss-20b", "llama-3.3-70b-versatile")),
    ("openai", "mistral", ("mistral-medium-latest", "mistral-small-latest", "codestral-latest")),
    ("openai", "fireworks", ("deepseek-v3p1", "gpt-oss-120b")),
    ("openai", "together", ("meta-llama/Llama-3.3-70B-Instruct-Turbo", "openai/gpt-oss-120b")),
    ("openai", "moonshot", ("kimi-k2.5", "kimi-k2.6")),
    ("openai", "zai", ("glm-4.6", "glm-5")),
    ("openai", "cerebras", ("gpt-oss-120b",)),
    ("stated", "openrouter", ("anthropic/claude-haiku-4.5", "openai/gpt-4o-mini")),
    ("stated", "perplexity", ("sonar", "sonar-pro")),
    ("stated", "deepinfra", ("deepseek-ai/DeepSeek-V3.1",)),
    ("responses", "openai-responses", ("gpt-5", "gpt-5.5", "gpt-4.1", "o3")),
    (
        "anthropic",
        "anthropic",
        ("claude-haiku-4-5", "claude-sonnet-4-5", "claude-opus-4-5", "claude-opus-4-1-20250805"),
    ),
    ("anthropic", "azure-anthropic", ("claude-haiku-4-5",)),
    ("gemini", "gemini", ("gemini-2.5-pro", "gemini-2.5-flash", "gemini-2.5-flash-lite", "gemini-2.5-flash-image")),
    ("gemini", "vertex", ("gemini-2.5-flash",)),
    (
        "bedrock",
        "bedrock",
        ("anthropic.claude-haiku-4-5-20251001-v1:0", "amazon.nova-pro-v1:0", "amazon.nova-micro-v1:0"),
    ),
    ("cohere", "cohere", ("command-a-03-2025", "command-r-08-2024", "command-r7b-12-2024")),
)
EACH = 7


def chat(shape: str, kind: str, model: str, place: int, dice: random.Random) -> Case:
    """Return one answer of a conversation, without what it costs."""
    case: Case = {"shape": shape, "kind": kind, "operation": "chat", "model": model, "service": ""}
    case["answer"] = _ANSWERS[shape](model, place, dice)
    if kind == "azure-anthropic":
        # Nobody lists what a search costs there.
        case["answer"]["usage"].pop("server_tool_use", None)
    if place == 5 and kind in ("openai", "anthropic", "gemini") and model != "claude-opus-4-1-20250805":
        case["service"] = "batch"
    return case


def _size(place: int, dice: random.Random) -> tuple[int, int]:
    """Return tokens in and out: mostly as people talk, once very long."""
    if place == 4:
        return dice.randrange(280_000, 900_000), dice.randrange(200, 9_000)
    return dice.randrange(8, 60_000), dice.randrange(1, 4_000)


def _completion(model: str, usage: Case, **more: Any) -> Case:
    choice = {"index": 0, "message": _TEXT, "logprobs": None, "finish_reason": "stop"}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1_763_000_000, "model": model}
    return {**head, "choices": [choice], "usage": usage, **more}


def _openai(model: str, place: int, dice: random.Random) -> Case:
    asked, made = _size(place, dice)
    usage: Case = {"prompt_tokens": asked, "completion_tokens": made, "total_tokens": asked + made}
    if place:
        usage["prompt_tokens_details"] = {"cached_tokens": dice.randrange(asked) if place > 1 else 0, "audio_tokens": 0}
        details = {"accepted_prediction_tokens": 0, "audio_tokens": 0, "rejected_prediction_tokens": 0}
        usage["completion_tokens_details"] = {"reasoning_tokens": dice.randrange(made) if place > 2 else 0, **details}
    tier = {3: "priority", 6: "flex"}.get(place, "default") if model in ("gpt-5", "o3") else "default"
    return _completion(model, usage, service_tier=tier, system_fingerprint="fp_1")


def _deepseek(model: str, place: int, dice: random.Random) -> Case:
    asked, made = _size(place, dice)
    hit = dice.randrange(asked)
    usage = {"prompt_tokens": asked, "completion_tokens": made, "total_tokens": asked + made}
    usage |= {"prompt_cache_hit_tokens": hit, "prompt_cache_miss_tokens": asked - hit}
    details = {
        "prompt_tokens_details": {"cached_tokens": hit},
        "completion_tokens_details": {"reasoning_tokens": made // 2},
    }
    return _completion(model, {**usage, **details})


def _xai(model: str, place: int, dice: random.Random) -> Case:
    asked, made = _size(place, dice)
    thought = dice.randrange(1, 3_000)
    usage: Case = {"prompt_tokens": asked, "completion_tokens": made, "total_tokens": asked + made + thought}
    cached = dice.randrange(asked)
    usage["prompt_tokens_details"] = {
        "text_tokens": asked, "audio_tokens": 0, "image_tokens": 0, "cached_tokens": cached,
    }  # fmt: skip
    usage["completion_tokens_details"] = {"reasoning_tokens": thought, "audio_tokens": 0}
    usage["num_sources_used"] = 0
    if place > 4:
        usage["cost_in_usd_ticks"] = dice.randrange(10_000, 90_000_000_000)
    return _completion(model, usage, service_tier="default")


def _stated(model: str, place: int, dice: random.Random) -> Case:
    asked, made = _size(place, dice)
    usage: Case = {"prompt_tokens": asked, "completion_tokens": made, "total_tokens": asked + made}
    cost = dice.randrange(1, 10**9) / 10**10
    if model.startswith("sonar"):
        parts = {"input_tokens_cost": 0.001, "output_tokens_cost": 0.002, "request_cost": 0.006, "total_cost": cost}
        return _completion(model, {**usage, "search_context_size": "low", "cost": parts}, citations=[])
    if model.startswith("deepseek"):
        return _completion(model, {**usage, "estimated_cost": cost})
    usage |= {"cost": cost, "is_byok": place == 3, "prompt_tokens_details": {"cached_tokens": 0}}
    usage["cost_details"] = {"upstream_inference_cost": 0.0125 if place == 3 else None}
    return _completion(model, usage, provider="Anthropic")


def _responses(model: str, place: int, dice: random.Random) -> Case:
    asked, made = _size(place, dice)
    usage = {
        "input_tokens": asked,
        "input_tokens_details": {"cached_tokens": dice.randrange(asked) if place else 0},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": dice.randrange(made)},
        "total_tokens": asked + made,
    }
    output: list[Case] = []
    if place == 2:
        for action in ("search", "search", "open_page"):
            call = {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": action}}
            output.append(call)
    if place == 3:
        found = {"id": "fs_1", "type": "file_search_call", "status": "completed", "queries": ["a"], "results": None}
        output.append(found)
    content = [{"type": "output_text", "text": "Hi", "annotations": []}]
    output.append({"id": "m", "type": "message", "status": "completed", "role": "assistant", "content": content})
    tier = "flex" if place == 6 and model in ("gpt-5", "o3") else "default"
    head = {"id": "resp_1", "object": "response", "created_at": 1_763_000_000, "status": "completed", "model": model}
    return {**head, "error": None, "incomplete_details": None, "output": output, "usage": usage, "service_tier": tier}


def _anthropic(model: str, place: int, dice: random.Random) -> Case:
    asked, made = _size(place, dice)
    usage: Case = {"input_tokens": asked, "output_tokens": made}
    if place:
        short, hour = dice.randrange(20_000), dice.randrange(20_000) if place > 2 else 0
        usage |= {"cache_creation_input_tokens": short + hour, "cache_read_input_tokens": dice.randrange(90_000)}
        usage["cache_creation"] = {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": hour}
        usage["service_tier"] = "standard"
    if place == 3:
        usage["server_tool_use"] = {"web_search_requests": dice.randrange(1, 5), "web_fetch_requests": 1}
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": model}
    content = [{"type": "text", "text": "Hi"}]
    return {**head, "content": content, "stop_reason": "end_turn", "stop_sequence": None, "usage": usage}


def _gemini(model: str, place: int, dice: random.Random) -> Case:
    asked, made = _size(place, dice)
    thought = dice.randrange(1, 5_000) if place > 1 else 0
    usage: Case = {"promptTokenCount": asked, "candidatesTokenCount": made}
    details = [{"modality": "TEXT", "tokenCount": asked}]
    if place == 3:
        heard = asked // 3
        details = [{"modality": "TEXT", "tokenCount": asked - heard}, {"modality": "AUDIO", "tokenCount": heard}]
    if place in (2, 3):
        kept = asked // 4
        usage["cachedContentTokenCount"] = kept
        of_sound = kept // 5 if place == 3 else 0
        parts = [{"modality": "TEXT", "tokenCount": kept - of_sound}]
        usage["cacheTokensDetails"] = [*parts, {"modality": "AUDIO", "tokenCount": of_sound}] if of_sound else parts
    usage["promptTokensDetails"] = details
    if model.endswith("image"):
        usage["candidatesTokenCount"] = made = 1290 + made % 90
        drawn = [{"modality": "IMAGE", "tokenCount": 1290}]
        usage["candidatesTokensDetails"] = drawn
    if place == 6:
        usage["toolUsePromptTokenCount"] = tools = 321
    else:
        tools = 0
    if thought:
        usage["thoughtsTokenCount"] = thought
    usage["totalTokenCount"] = asked + made + thought + tools
    candidate = {"content": {"parts": [{"text": "Hi"}], "role": "model"}, "finishReason": "STOP", "index": 0}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": model, "responseId": "r1"}


def _bedrock(model: str, place: int, dice: random.Random) -> Case:
    asked, made = _size(place, dice)
    usage: Case = {"inputTokens": asked, "outputTokens": made, "totalTokens": asked + made}
    if place > 1:
        short, hour = dice.randrange(9_000), dice.randrange(9_000) if "claude" in model else 0
        usage |= {"cacheReadInputTokens": dice.randrange(50_000), "cacheWriteInputTokens": short + hour}
        usage["totalTokens"] += usage["cacheReadInputTokens"] + short + hour
        if hour:
            usage["cacheDetails"] = [{"ttl": "5m", "inputTokens": short}, {"ttl": "1h", "inputTokens": hour}]
    message = {"role": "assistant", "content": [{"text": "Hi"}]}
    return {"output": {"message": message}, "stopReason": "end_turn", "usage": usage, "metrics": {"latencyMs": 5}}


def _cohere(model: str, place: int, dice: random.Random) -> Case:
    del model
    asked, made = _size(place, dice)
    billed = {"input_tokens": asked, "output_tokens": made}
    # What the model saw is more than is billed.
    usage = {"billed_units": billed, "tokens": {"input_tokens": asked + 498, "output_tokens": made + 2}}
    message = {"role": "assistant", "content": [{"type": "text", "text": "Hi"}]}
    return {"id": "c1", "finish_reason": "COMPLETE", "message": message, "usage": usage}


_ANSWERS = {
    "openai": _openai, "deepseek": _deepseek, "xai": _xai, "stated": _stated, "responses": _responses,
    "anthropic": _anthropic, "gemini": _gemini, "bedrock": _bedrock, "cohere": _cohere,
}  # fmt: skip


def tasks(dice: random.Random) -> Iterator[Case]:
    """Yield answers that are no conversations."""
    answer: Case
    usage: Case
    for kind, model in (
        ("openai", "text-embedding-3-small"),
        ("openai", "text-embedding-3-large"),
        ("mistral", "mistral-embed"),
    ):
        for _ in range(4):
            tokens = dice.randrange(2, 90_000)
            data = [{"object": "embedding", "index": 0, "embedding": [0.25, -0.5]}]
            usage = {"prompt_tokens": tokens, "total_tokens": tokens}
            answer = {"object": "list", "data": data, "model": model, "usage": usage}
            asked = {"input": "a", "encoding_format": "float"}
            yield _task("embeddings", kind, "embeddings", model, answer, asked)
    for model in ("rerank-v3.5", "rerank-v4.0-pro"):
        for _ in range(4):
            meta = {"api_version": {"version": "2"}, "billed_units": {"search_units": dice.randrange(1, 6)}}
            answer = {"id": "r", "results": [{"index": 0, "relevance_score": 0.5}], "meta": meta}
            yield _task("rerank", "cohere", "rerank", model, answer, {"query": "q", "documents": ["a", "b"]})
    for model in ("whisper-1",):
        for _ in range(4):
            answer = {"text": "Hi", "usage": {"type": "duration", "seconds": dice.randrange(1, 3_600)}}
            yield _task("transcript", "openai", "transcription", model, answer, {})
    for model in ("gpt-4o-transcribe", "gpt-4o-mini-transcribe"):
        for _ in range(4):
            heard, said, made = dice.randrange(10, 9_000), dice.randrange(40), dice.randrange(1, 900)
            usage = {"type": "tokens", "input_tokens": heard + said, "output_tokens": made}
            usage |= {"total_tokens": heard + said + made}
            usage |= {"input_token_details": {"text_tokens": said, "audio_tokens": heard}}
            yield _task("transcript", "openai", "transcription", model, {"text": "Hi", "usage": usage}, {})
    for seconds in (2.13, 9.99, 10.0, 61.437, 3599.5):
        answer = {"task": "transcribe", "language": "English", "duration": seconds, "text": "Hi", "segments": []}
        asked = {"response_format": "verbose_json"}
        yield _task("transcript", "groq", "transcription", "whisper-large-v3-turbo", answer, asked)
    for model in ("tts-1", "tts-1-hd"):
        for length in (1, 77, 4_096):
            yield _task("speech", "openai", "speech", model, {}, {"input": "ä" * length, "voice": "alloy"})
    for model in ("gpt-image-1", "gpt-image-1-mini", "gpt-image-1.5"):
        for _ in range(4):
            words, seen, drawn = dice.randrange(5, 900), dice.randrange(1_600), dice.choice((272, 1_056, 4_160))
            usage = {"input_tokens": words + seen, "output_tokens": drawn, "total_tokens": words + seen + drawn}
            usage |= {"input_tokens_details": {"text_tokens": words, "image_tokens": seen}}
            usage |= {"output_tokens_details": {"text_tokens": 0, "image_tokens": drawn}}
            answer = {
                "created": 1,
                "data": [{"b64_json": "AA=="}],
                "usage": usage,
                "size": "1024x1024",
                "quality": "low",
            }
            yield _task("images", "openai", "image_generation", model, answer, {"prompt": "a cat"})
    for form, count in (("hd/1024x1792", 1), ("standard/1024x1024", 2), ("hd/1024x1024", 3)):
        quality, size = form.split("/")
        answer = {"created": 1, "data": [{"url": "https://example.com/a.png"}] * count}
        yield _task(
            "images",
            "openai",
            "image_generation",
            "dall-e-3",
            answer,
            {"prompt": "a", "quality": quality, "size": size},
        )


def _task(shape: str, kind: str, operation: str, model: str, answer: Case, asked: Case) -> Case:
    head = {"shape": shape, "kind": kind, "operation": operation, "model": model, "service": ""}
    return {**head, "answer": answer, "asked": asked}


#: Prices that were on OpenAI's list and are on neither source's any more.
OWN = {
    "openai:dall-e-3": {
        "images": {"standard/1024x1024": "0.04", "hd/1024x1024": "0.08", "hd/1024x1792": "0.12"}, "image": "0.04",
    },
}  # fmt: skip


def main() -> None:
    """Write every fixture."""
    from mainstay.cost.catalogue import Catalogue

    dice = random.Random(5)
    cases = [
        chat(shape, kind, model, place, dice)
        for shape, kind, models in CHATS
        for model in models
        for place in range(EACH)
    ]
    cases += tasks(dice)
    prices: dict[str, Case] = dict(OWN)
    files: dict[str, list[Case]] = {}
    for case in cases:
        key = f"{case['kind']}:{case['model']}"
        if key not in prices:
            found = Catalogue.open().find(case["kind"], case["model"])
            if found is None:
                raise SystemExit(f"no price: {key}")
            # One row, without the dates and hours that decide which.
            row = dict(found.merged.rows[-1] if "since" in found.merged.rows[-1] else found.merged.rows[0])
            prices[key] = {
                name: value for name, value in row.items() if name not in ("since", "until", "hours", "days")
            }
        name = case["kind"] if case["operation"] == "chat" else case["operation"]
        listed = files.setdefault(name, [])
        plain = json.loads(json.dumps(prices[key], default=str))
        case["usd"] = format(bill(case["shape"], exact(case["answer"]), plain, case["service"], case.get("asked")), "f")
        listed.append({"name": f"{name}-{len(listed) + 1:02}", **case})
    for name, listed in files.items():
        (HERE / f"{name}.json").write_text(json.dumps(listed, indent=1, ensure_ascii=False) + "\n")
    text = json.dumps(prices, indent=1, default=str, sort_keys=True)
    (HERE / "prices.json").write_text(text + "\n")
    print(f"{sum(map(len, files.values()))} fixtures in {len(files)} files")


def exact(answer: Case) -> Case:
    """Return an answer with its numbers as the decimals they were written as."""
    from decimal import Decimal

    found: Case = json.loads(json.dumps(answer), parse_float=Decimal)
    return found


if __name__ == "__main__":
    main()
