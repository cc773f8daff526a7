"""The export for finance tools: rows by the specification's rules, adding up to the books."""

import csv
import io
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from mainstay.core.usage import Usage
from mainstay.cost.focus import VERSIONS, Seller, Sku, columns, focus_rows, write_focus
from mainstay.cost.prices import Price
from mainstay.cost.rates import Tariff
from mainstay.cost.reports import Question, costs
from mainstay.store.sql import reading
from support.focus import MANDATORY, flaws
from support.spending import DAY, START, attempt, bought, keep, open_migrated, some_records

SELLERS = {
    "openai-main": Seller("openai", "OpenAI"),
    "claude": Seller("anthropic", "Anthropic", "eu-west-1"),
    "house": Seller("llamacpp", "Own"),
}
GPT = Price(input=Decimal("2.5"), output=Decimal(10), cache_read=Decimal("1.25"), requests=Decimal(1))
HEARD = Price(audio_hour=Decimal("0.36"))
MODELS = {
    "gpt": Sku("gpt-4o", Tariff((GPT,))),
    "haiku": Sku("claude-haiku-4-5", Tariff((HEARD,))),
    "small": Sku("small", Tariff((Price(input=Decimal(0), output=Decimal(0)),))),
}


def export(engine: Engine, version: str = "1.4", **question: object) -> tuple[list[str], list[dict[str, str]]]:
    file = io.StringIO(newline="")
    with reading(engine) as connection:
        rows = focus_rows(connection, Question(**question), SELLERS, MODELS, {"key_a": "alice"})  # type: ignore[arg-type]  # of one field each
        count = write_focus(rows, file, version)
    read = csv.DictReader(io.StringIO(file.getvalue()))
    found = list(read)
    assert len(found) == count
    return list(read.fieldnames or ()), found


@pytest.mark.parametrize("version", VERSIONS)
def test_a_file_keeps_the_rules_of_its_version(engine: Engine, version: str) -> None:
    keep(engine, some_records(300))
    header, rows = export(engine, version)
    assert header == list(columns(version))
    assert len(rows) > 100
    assert flaws(header, rows, version) == []
    # What only another version knows is no part of it.
    others = set().union(*MANDATORY.values()) - MANDATORY[version]
    assert not others & set(header)


def test_the_checker_itself_finds_what_is_wrong() -> None:
    header = list(columns("1.2"))
    row = dict.fromkeys(header, "") | {"BillingPeriodStart": "2026-11-01T00:00:00Z", "PricingQuantity": "1"}
    row |= dict.fromkeys(("BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd"), "2026-12-01T00:00:00Z")
    row |= {"ListCost": "1", "ContractedCost": "1", "ListUnitPrice": "1", "ContractedUnitPrice": "2"}
    row |= {"BilledCost": "1e3", "ConsumedUnit": "tokens", "Tags": '{"x": 1}', "SkuPriceId": "p"}
    told = " ".join(flaws(header[1:], [row], "1.2"))
    for flaw in (
        "BilledCost is missing",
        "BillingCurrency is null",
        "ConsumedUnit is no unit",
        "outside its billing period",
        "ContractedCost is not ContractedUnitPrice",
        "belongs to no SKU",
        "must be true",
    ):
        assert flaw in told
    assert "BilledCost is no decimal" in " ".join(flaws(header, [row], "1.2"))


def test_rows_add_up_to_the_books_to_the_last_digit(engine: Engine) -> None:
    keep(engine, some_records(300))
    with reading(engine) as connection:
        books = costs(connection, Question(("key",)))
    _, rows = export(engine)
    for key, amount in books.items():
        billed = sum(Decimal(row["BilledCost"]) for row in rows if row["x_KeyId"] == key[0])
        assert billed == Decimal(amount).scaleb(-12)


def test_one_row_for_each_kind_of_usage_with_its_share_and_its_price(engine: Engine) -> None:
    usage = Usage(1_000_000, 100_000, cache_read=400_000)
    price = MODELS["gpt"].tariff
    assert price is not None
    cost = price.price(usage, START).total
    keep(engine, [bought(START + 5, attempt("gpt", cost, usage=usage), key="key_a", team="web", tags=["x", "y"])])
    _, rows = export(engine)
    by_kind = {row["SkuMeter"]: row for row in rows}
    assert {
        name: (row["BilledCost"], row["ListUnitPrice"], row["PricingQuantity"]) for name, row in by_kind.items()
    } == {
        "Input Tokens": ("1.5", "2.5", "0.6"),
        "Cache Read Tokens": ("0.5", "1.25", "0.4"),
        "Output Tokens": ("1", "10", "0.1"),
        "Requests": ("0.001", "1", "0.001"),
    }
    row = by_kind["Input Tokens"]
    assert (row["ConsumedQuantity"], row["ConsumedUnit"], row["PricingUnit"]) == ("600000", "Tokens", "1000000 Tokens")
    assert (row["ChargePeriodStart"], row["ChargePeriodEnd"]) == ("2026-11-02T00:00:00Z", "2026-11-03T00:00:00Z")
    assert (row["BillingPeriodStart"], row["BillingPeriodEnd"]) == ("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z")
    assert (row["SubAccountId"], row["BillingAccountId"], row["ServiceProviderName"]) == ("web", "default", "OpenAI")
    assert (row["SkuId"], row["x_KeyName"], row["x_Provider"]) == ("openai/gpt-4o/input", "alice", "openai-main")
    assert json.loads(row["Tags"]) == {"x": True, "y": True}


def test_what_a_provider_reports_is_billed_and_the_price_list_stands_beside_it(engine: Engine) -> None:
    usage = Usage(1_000_000, 0, reported=3 * 10**12)
    keep(
        engine, [bought(START, attempt("gpt", 3 * 10**12, computed=2_501_000_000_000, usage=usage, priced="reported"))]
    )
    _, rows = export(engine)
    assert sum(Decimal(row["BilledCost"]) for row in rows) == 3
    assert sum(Decimal(row["ListCost"]) for row in rows) == Decimal("2.501")


def test_what_cannot_be_shared_out_is_one_row(engine: Engine) -> None:
    gone = attempt("gpt", 5, usage=Usage(3, 4))
    gone.target = "gone"
    keep(
        engine, [bought(START, gone), bought(START, attempt("gpt", 9, usage=None)), bought(START, attempt("gpt", None))]
    )
    _, rows = export(engine)
    assert [(row["ResourceId"], row["SkuMeter"], row["BilledCost"], row["ConsumedQuantity"]) for row in rows] == [
        ("gone", "Tokens", "0.000000000005", "7"),
        ("gpt", "Upstream Calls", "0.000000000009", "1"),
    ]
    assert flaws(list(columns()), rows, "1.4") == []


def test_sound_is_counted_in_seconds(engine: Engine) -> None:
    keep(engine, [bought(START, attempt("haiku", 10**9, usage=Usage(audio_ms=10_500)), team="")])
    _, rows = export(engine)
    assert [(row["ConsumedQuantity"], row["PricingUnit"], row["PricingQuantity"]) for row in rows] == [
        ("10.5", "Seconds", "10.5")
    ]
    assert rows[0]["SubAccountId"] == ""


def test_days_and_keys_have_rows_of_their_own(engine: Engine) -> None:
    keep(engine, [bought(START + n * DAY, attempt("gpt", 7), key=key) for n in (0, 1) for key in ("a", "b")] * 1)
    assert len({(row["ChargePeriodStart"], row["x_KeyId"]) for row in export(engine)[1]}) == 4
    assert {row["x_KeyId"] for row in export(engine, where=(("key", ("a",)),))[1]} == {"a"}
    assert {row["ChargePeriodStart"] for row in export(engine, since=START + DAY)[1]} == {"2026-11-03T00:00:00Z"}


def test_an_empty_time_is_a_file_with_its_header(engine: Engine) -> None:
    header, rows = export(engine)
    assert (header, rows) == (list(columns()), [])


def test_a_version_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="is not known"):
        columns("0.9")


@given(st.data())
def test_whatever_was_used_every_token_is_in_one_row(data: st.DataObject) -> None:
    from mainstay.cost.focus import _counts

    whole, made = data.draw(st.integers(0, 1000)), data.draw(st.integers(0, 1000))
    read = data.draw(st.integers(0, whole))
    write = data.draw(st.integers(0, whole - read))
    heard = data.draw(st.integers(0, whole - read - write))
    thought = data.draw(st.integers(0, made))
    counts = _counts(Usage(whole, made, read, write, reasoning=thought, audio_input=heard))
    assert sum(counts.values()) == whole + made
    assert all(counts.values())


def test_postgresql_exports_the_same(postgres_url: str) -> None:
    engine = open_migrated(postgres_url)
    try:
        keep(engine, some_records(100))
        header, rows = export(engine)
        assert flaws(header, rows, "1.4") == []
        with reading(engine) as connection:
            total = costs(connection, Question())[()]
        assert sum(Decimal(row["BilledCost"]) for row in rows) == Decimal(total).scaleb(-12)
    finally:
        engine.dispose()
