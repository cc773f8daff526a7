"""What a vendor bills for an answer, worked out from the vendor's own report by the vendor's own words, in decimals.

Written apart from the product: it knows neither its ``Usage`` nor its integers, imports nothing of it, and has one
formula for each vendor's shape. ``row`` is a price in the catalogue's form: US dollars for a million tokens, and so on.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal, localcontext
from typing import Any

__all__ = ["ORACLES", "bill"]

Raw = Mapping[str, Any]
Row = dict[str, Any]
_MILLION, _THOUSAND = Decimal(1_000_000), Decimal(1_000)


def bill(shape: str, answer: Raw, row: Row, service: str = "", asked: Raw | None = None) -> Decimal:
    """Return what ``answer`` costs in US dollars. ``asked`` is the request, where the price depends on it."""
    with localcontext() as context:
        context.prec = 60
        return ORACLES[shape](answer, row, service, asked or {})


def _on(row: Row, service: str, length: int) -> Row:
    """Return the rates for a call of ``length`` input tokens from one tier of service."""
    rates = {name: Decimal(rate) for name, rate in row.items() if isinstance(rate, str) and name not in ("since",)}
    tiers = row.get("tiers", [])
    chosen = row.get("services", {}).get(service)
    if chosen is not None:
        own = {name: Decimal(rate) for name, rate in chosen.items() if isinstance(rate, str)}
        rates.update(own)
        tiers = chosen.get("tiers") or [{k: v for k, v in tier.items() if k not in own} for tier in tiers]
    for tier in sorted(tiers, key=lambda one: int(one["above"])):
        if length > int(tier["above"]):
            rates.update({name: Decimal(rate) for name, rate in tier.items() if name != "above"})
    return rates


def _tier(said: str | None, sent: str) -> str:
    """Return the tier that counts: the vendor's word unless it is its usual one; a batch is known by being sent so."""
    return sent if said in (None, "default", "standard") else said


def _rate(rates: Row, *names: str) -> Decimal:
    return next((rates[name] for name in names if name in rates), Decimal(0))


def _int(holder: Raw | None, *path: str) -> int:
    value: Any = holder
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return int(value or 0)


def _openai_chat(answer: Raw, row: Row, service: str, asked: Raw) -> Decimal:
    del asked
    usage = answer["usage"]
    prompt, completion = usage["prompt_tokens"], usage["completion_tokens"]
    cached = _int(usage, "prompt_tokens_details", "cached_tokens")
    written = _int(usage, "prompt_tokens_details", "cache_write_tokens")
    heard = _int(usage, "prompt_tokens_details", "audio_tokens")
    spoken = _int(usage, "completion_tokens_details", "audio_tokens")
    rates = _on(row, _tier(answer.get("service_tier"), service), prompt)
    total = (prompt - cached - written - heard) * _rate(rates, "input")
    total += cached * _rate(rates, "cache_read", "input") + written * _rate(rates, "cache_write", "input")
    total += heard * _rate(rates, "audio_input", "input")
    total += (completion - spoken) * _rate(rates, "output") + spoken * _rate(rates, "audio_output", "output")
    return Decimal(total / _MILLION)


def _deepseek(answer: Raw, row: Row, service: str, asked: Raw) -> Decimal:
    del asked
    usage = answer["usage"]
    hit, miss = usage["prompt_cache_hit_tokens"], usage["prompt_cache_miss_tokens"]
    rates = _on(row, service, hit + miss)
    total = hit * _rate(rates, "cache_read", "input") + miss * _rate(rates, "input")
    return Decimal((total + usage["completion_tokens"] * _rate(rates, "output")) / _MILLION)


def _xai(answer: Raw, row: Row, service: str, asked: Raw) -> Decimal:
    del asked
    usage = answer["usage"]
    if "cost_in_usd_ticks" in usage:
        return Decimal(usage["cost_in_usd_ticks"]) / 10**10
    prompt = usage["prompt_tokens"]
    rates = _on(row, service, prompt)
    cached = _int(usage, "prompt_tokens_details", "cached_tokens")
    # Thinking is reported beside what was written, and billed like it.
    made = usage["completion_tokens"] + _int(usage, "completion_tokens_details", "reasoning_tokens")
    total = (prompt - cached) * _rate(rates, "input") + cached * _rate(rates, "cache_read", "input")
    return Decimal((total + made * _rate(rates, "output")) / _MILLION)


def _stated(answer: Raw, row: Row, service: str, asked: Raw) -> Decimal:
    """OpenRouter, Perplexity and DeepInfra say what it cost."""
    del row, service, asked
    usage = answer["usage"]
    cost = usage.get("cost", usage.get("estimated_cost"))
    if isinstance(cost, Mapping):
        return Decimal(cost["total_cost"])
    total = Decimal(cost)
    if usage.get("is_byok"):
        total += Decimal(usage["cost_details"]["upstream_inference_cost"])
    return total


def _responses(answer: Raw, row: Row, service: str, asked: Raw) -> Decimal:
    del asked
    usage = answer["usage"]
    rates = _on(row, _tier(answer.get("service_tier"), service), usage["input_tokens"])
    cached = _int(usage, "input_tokens_details", "cached_tokens")
    total = (usage["input_tokens"] - cached) * _rate(rates, "input") + cached * _rate(rates, "cache_read", "input")
    total += usage["output_tokens"] * _rate(rates, "output")
    searches = sum(
        item["type"] == "web_search_call" and item.get("action", {}).get("type", "search") == "search"
        for item in answer["output"]
    )
    files = sum(item["type"] == "file_search_call" for item in answer["output"])
    return Decimal(
        total / _MILLION + (searches * _rate(rates, "searches") + files * _rate(rates, "tool_calls")) / _THOUSAND
    )


def _anthropic(answer: Raw, row: Row, service: str, asked: Raw) -> Decimal:
    del asked
    usage = answer["usage"]
    read, written = _int(usage, "cache_read_input_tokens"), _int(usage, "cache_creation_input_tokens")
    hour = _int(usage, "cache_creation", "ephemeral_1h_input_tokens")
    rates = _on(row, _tier(usage.get("service_tier"), service), usage["input_tokens"] + read + written)
    total = usage["input_tokens"] * _rate(rates, "input") + read * _rate(rates, "cache_read", "input")
    total += (written - hour) * _rate(rates, "cache_write", "input")
    total += hour * _rate(rates, "cache_write_1h", "cache_write", "input")
    total += usage["output_tokens"] * _rate(rates, "output")
    searches = _int(usage, "server_tool_use", "web_search_requests")
    return Decimal(total / _MILLION + searches * _rate(rates, "searches") / _THOUSAND)


def _by_modality(details: Any) -> dict[str, int]:
    return {entry["modality"]: entry["tokenCount"] for entry in details or []}


def _gemini(answer: Raw, row: Row, service: str, asked: Raw) -> Decimal:
    del asked
    usage = answer["usageMetadata"]
    prompt = usage["promptTokenCount"]
    tools = _int(usage, "toolUsePromptTokenCount")
    rates = _on(row, usage.get("serviceTier") or service, prompt + tools)
    given, cached = _by_modality(usage.get("promptTokensDetails")), _by_modality(usage.get("cacheTokensDetails"))
    total = Decimal(0)
    plain = prompt + tools
    left_cached = _int(usage, "cachedContentTokenCount")
    for modality, fresh, again in (
        ("AUDIO", "audio_input", "cache_read_audio"),
        ("IMAGE", "image_input", "cache_read_image"),
    ):
        whole, kept = given.get(modality, 0), cached.get(modality, 0)
        total += (whole - kept) * _rate(rates, fresh, "input") + kept * _rate(rates, again, "cache_read", "input")
        plain -= whole
        left_cached -= kept
    total += (plain - left_cached) * _rate(rates, "input") + left_cached * _rate(rates, "cache_read", "input")
    made = _by_modality(usage.get("candidatesTokensDetails"))
    drawn, spoken = made.get("IMAGE", 0), made.get("AUDIO", 0)
    total += drawn * _rate(rates, "image_output", "output") + spoken * _rate(rates, "audio_output", "output")
    total += (_int(usage, "candidatesTokenCount") - drawn - spoken) * _rate(rates, "output")
    return Decimal((total + _int(usage, "thoughtsTokenCount") * _rate(rates, "reasoning", "output")) / _MILLION)


def _bedrock(answer: Raw, row: Row, service: str, asked: Raw) -> Decimal:
    del asked
    usage = answer["usage"]
    read, written = _int(usage, "cacheReadInputTokens"), _int(usage, "cacheWriteInputTokens")
    hour = sum(one["inputTokens"] for one in usage.get("cacheDetails", []) if one["ttl"] == "1h")
    tier = _tier(answer.get("serviceTier", {}).get("type"), service)
    rates = _on(row, tier, usage["inputTokens"] + read + written)
    total = usage["inputTokens"] * _rate(rates, "input") + read * _rate(rates, "cache_read", "input")
    total += (written - hour) * _rate(rates, "cache_write", "input")
    total += hour * _rate(rates, "cache_write_1h", "cache_write", "input")
    return Decimal((total + usage["outputTokens"] * _rate(rates, "output")) / _MILLION)


def _cohere(answer: Raw, row: Row, service: str, asked: Raw) -> Decimal:
    del asked
    billed = answer["usage"]["billed_units"]
    rates = _on(row, service, int(billed["input_tokens"]))
    total = int(billed["input_tokens"]) * _rate(rates, "input") + int(billed["output_tokens"]) * _rate(rates, "output")
    return total / _MILLION


def _rerank(answer: Raw, row: Row, service: str, asked: Raw) -> Decimal:
    del asked
    rates = _on(row, service, 0)
    if "rerank" in rates:
        return Decimal(_int(answer, "meta", "billed_units", "search_units") * rates["rerank"] / _THOUSAND)
    return _int(answer, "usage", "total_tokens") * _rate(rates, "input") / _MILLION


def _embeddings(answer: Raw, row: Row, service: str, asked: Raw) -> Decimal:
    del asked
    usage = answer["usage"]
    tokens = usage.get("prompt_tokens", usage["total_tokens"])
    return Decimal(tokens * _rate(_on(row, service, tokens), "input") / _MILLION)


def _transcript(answer: Raw, row: Row, service: str, asked: Raw) -> Decimal:
    del asked
    usage = answer.get("usage")
    rates = _on(row, service, 0)
    if usage is not None and usage["type"] == "tokens":
        heard = usage["input_token_details"]["audio_tokens"]
        said = usage["input_tokens"] - heard
        total = heard * _rate(rates, "audio_input", "input") + said * _rate(rates, "input")
        return Decimal((total + usage["output_tokens"] * _rate(rates, "output")) / _MILLION)
    seconds = Decimal(usage["seconds"]) if usage is not None else Decimal(answer["duration"])
    seconds = max(seconds, Decimal(row.get("minimum_seconds", 0)))
    return Decimal(seconds * rates["audio_hour"] / 3600)


def _speech(answer: Raw, row: Row, service: str, asked: Raw) -> Decimal:
    del answer
    return Decimal(len(asked["input"]) * _on(row, service, 0)["characters"] / _MILLION)


def _images(answer: Raw, row: Row, service: str, asked: Raw) -> Decimal:
    rates = _on(row, service, 0)
    usage = answer.get("usage")
    if usage is None:
        form = "/".join((str(asked.get("quality", "")), str(asked.get("size", ""))))
        each = row.get("images", {}).get(form, row.get("image"))
        return len(answer["data"]) * Decimal(each)
    seen = _int(usage, "input_tokens_details", "image_tokens")
    cached = _int(usage, "input_tokens_details", "cached_tokens")
    drawn = _int(usage, "output_tokens_details", "image_tokens")
    total = seen * _rate(rates, "image_input", "input") + cached * _rate(rates, "cache_read", "input")
    total += (usage["input_tokens"] - seen - cached) * _rate(rates, "input")
    total += drawn * _rate(rates, "image_output", "output")
    return Decimal((total + (usage["output_tokens"] - drawn) * _rate(rates, "output")) / _MILLION)


ORACLES: Mapping[str, Callable[[Raw, Row, str, Raw], Decimal]] = {
    "openai": _openai_chat,
    "deepseek": _deepseek,
    "xai": _xai,
    "stated": _stated,
    "responses": _responses,
    "anthropic": _anthropic,
    "gemini": _gemini,
    "bedrock": _bedrock,
    "cohere": _cohere,
    "rerank": _rerank,
    "embeddings": _embeddings,
    "transcript": _transcript,
    "speech": _speech,
    "images": _images,
}
