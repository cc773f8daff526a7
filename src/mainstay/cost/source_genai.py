"""Reads genai-prices' data into rows of the catalogue's form: from its JSON, or from its package's Python literals.

Only facts are taken: names, rates, thresholds, dates. Knows that data's habits; does not know who else says what.
"""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final

import msgspec

from mainstay.core.errors import PriceError
from mainstay.cost.matching import Row, fold, plain, seller_of_genai

__all__ = ["Listed", "read_genai", "read_genai_python"]

_KINDS: Final = {
    "input_mtok": "input",
    "output_mtok": "output",
    "cache_read_mtok": "cache_read",
    "cache_write_mtok": "cache_write",
    "cache_write_5m_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h",
    "output_reasoning_mtok": "reasoning",
    "input_audio_mtok": "audio_input",
    "output_audio_mtok": "audio_output",
    "input_image_mtok": "image_input",
    "output_image_mtok": "image_output",
    "cache_audio_read_mtok": "cache_read_audio",
    "cache_image_read_mtok": "cache_read_image",
    "input_mchars": "characters",
    "audio_hours": "audio_hour",
    "input_audio_hours": "audio_hour",
    "requests_kcount": "requests",
    "web_searches_kcount": "searches",
    "storage_searches_kcount": "tool_calls",
    "rerank_searches_kcount": "rerank",
}
_SERVICES: Final = {("processing", "batch"): "batch", ("speed", "fast"): "fast"}
#: Groq bills ten seconds at least for each file that is transcribed.
_MINIMUM: Final = {("groq", "whisper"): Decimal(10)}

#: Sellers that this data has under another's name: its Google is both of Google's doors.
_ALSO: Final = {"gemini": ("vertex",)}


class Listed(msgspec.Struct, frozen=True):
    """What the data says: rows by seller and model, other names that models go by, and which names a model accepts."""

    rows: dict[str, dict[str, list[Row]]]
    aliases: dict[str, dict[str, str]]
    rules: dict[str, list[tuple[str, Mapping[str, Any]]]]

    def like(self, seller: str, name: str) -> str | None:
        """Return the first model of ``seller`` whose rule accepts ``name``: the data's own, looser way to match."""
        return next((key for key, rule in self.rules.get(seller, ()) if _accepts(rule, name)), None)


def read_genai(providers: Sequence[Mapping[str, Any]], today: date) -> Listed:
    """Return what the data says.

    Tiers of service that have a date of their own count if they hold on ``today``. Numbers must have been decoded as
    :class:`~decimal.Decimal`.
    """
    listed = Listed({}, {}, {})
    for provider in providers:
        for model in provider["models"]:
            own, name = seller_of_genai(provider["id"], model["id"])
            rows = _model(own, name, model, today)
            key = fold(name)
            others = {fold(seller_of_genai(provider["id"], other)[1]) for other in _equals(model["match"])} - {key}
            for seller in (own, *_ALSO.get(own, ())) if rows else ():
                listed.rows.setdefault(seller, {})[key] = rows
                listed.rules.setdefault(seller, []).append((key, model["match"]))
                listed.aliases.setdefault(seller, {}).update(dict.fromkeys(sorted(others), key))
    return listed


def _model(seller: str, name: str, model: Mapping[str, Any], today: date) -> list[Row]:
    prices = model["prices"]
    listed = [{"prices": prices}] if isinstance(prices, Mapping) else prices
    rows = []
    for entry in listed:
        row = _row(entry["prices"])
        constraint = entry.get("constraint") or {}
        if "start_date" in constraint:
            row["since"] = str(constraint["start_date"])
        elif "start_time" in constraint:
            row["hours"] = [f"{str(constraint[end])[:5]}:00" for end in ("start_time", "end_time")]
        for (who, what), least in _MINIMUM.items():
            if seller == who and what in name and "audio_hour" in row:
                row["minimum_seconds"] = least
        rows.append(row)
    free = name.endswith(":free")
    rows = [row for row in rows if free or any(isinstance(rate, Decimal) and rate for rate in row.values())]
    if rows and (services := _services(model.get("price_variants") or (), today)):
        rows[-1]["services"] = services
    return rows


def _row(prices: Mapping[str, Any]) -> Row:
    row: Row = {}
    tiers: dict[int, Row] = {}
    for field, value in prices.items():
        kind = _KINDS.get(field)
        if kind is None or value is None:
            continue
        if isinstance(value, Mapping):
            row[kind] = plain(Decimal(value["base"]))
            for tier in value["tiers"]:
                tiers.setdefault(int(tier["start"]), {"above": int(tier["start"])})[kind] = plain(
                    Decimal(tier["price"])
                )
        else:
            row[kind] = plain(Decimal(value))
    if tiers:
        row["tiers"] = [tiers[start] for start in sorted(tiers)]
    return row


def _services(variants: Sequence[Mapping[str, Any]], today: date) -> dict[str, Row]:
    found: dict[str, Row] = {}
    for variant in variants:
        start = (variant.get("constraint") or {}).get("start_date")
        when = list(variant["when"].items())
        if len(when) != 1 or (start is not None and date.fromisoformat(str(start)) > today):
            continue
        name = when[0][1] if when[0][0] == "service_tier" else _SERVICES.get(when[0], "")
        if name and name != "default":
            found[name] = _row(variant["prices"])
    return {name: row for name, row in found.items() if row}


def _equals(match: Mapping[str, Any]) -> Iterator[str]:
    """Yield the whole names that a rule accepts; those that begin or hold something are left to our own rules."""
    if "equals" in match:
        yield match["equals"]
    for inner in match.get("or", ()):
        yield from _equals(inner)


def _accepts(rule: Mapping[str, Any], name: str) -> bool:
    ((how, what),) = rule.items()
    match how:
        case "equals":
            return name == fold(what)
        case "starts_with":
            return name.startswith(fold(what))
        case "ends_with":
            return name.endswith(fold(what))
        case "contains":
            return fold(what) in name
        case "regex":
            return re.search(what, name) is not None
        case "or":
            return any(_accepts(inner, name) for inner in what)
        case "and":
            return all(_accepts(inner, name) for inner in what)
    return False


def read_genai_python(text: str) -> list[dict[str, Any]]:
    """Return the providers in the text of the package's ``data.py``, in the form of its JSON, without running it.

    Raises:
        PriceError: it is not of the form that is known.
    """
    for node in ast.parse(text).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "providers":
            assert node.value is not None
            value = _literal(node.value)
            if isinstance(value, list):
                return value
    raise PriceError("This file of genai-prices holds no providers; give its data.json or its package.")


def _literal(node: ast.expr) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.List | ast.Tuple):
        return [_literal(item) for item in node.elts]
    if isinstance(node, ast.Dict):
        return {_literal(key): _literal(value) for key, value in zip(node.keys, node.values, strict=True) if key}
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name == "Decimal":
            return Decimal(str(_literal(node.args[0])))
        if name in ("date", "time"):
            parts = [_literal(arg) for arg in node.args if isinstance(arg, ast.Constant)]
            if name == "date":
                return date(*parts).isoformat()
            return ":".join(f"{part:02}" for part in [*parts, 0, 0][:2])
        return {(word.arg or "").rstrip("_"): _literal(word.value) for word in node.keywords}
    if isinstance(node, ast.Attribute | ast.Name):
        return None
    raise PriceError("This file of genai-prices has a form that is not known; update Mainstay.")
