"""Checks a file against the rules of FOCUS' Cost and Usage data set that hold for rows of usage.

Levels, types and allowed values are those of the specification's data model, versions 1.2 to 1.4.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from fractions import Fraction

__all__ = ["MANDATORY", "flaws"]

_ALWAYS = (
    *("BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd"),
    *("BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodEnd"),
    *("ChargePeriodStart", "ContractedCost", "EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingQuantity"),
    *("PricingUnit", "ServiceCategory", "ServiceName"),
)
_OLD, _NEW = ("ProviderName", "PublisherName"), ("ServiceProviderName", "HostProviderName")
MANDATORY = {"1.2": {*_ALWAYS, *_OLD}, "1.3": {*_ALWAYS, *_OLD, *_NEW}, "1.4": {*_ALWAYS, *_NEW}}
_CONDITIONAL = {
    *("ChargeFrequency", "ConsumedQuantity", "ConsumedUnit", "ContractedUnitPrice", "ListUnitPrice"),
    *("PricingCategory", "RegionId", "RegionName", "ResourceId", "ResourceName", "ResourceType"),
    *("ServiceSubcategory", "SkuId", "SkuMeter", "SkuPriceId", "SubAccountId", "SubAccountName", "Tags"),
}
_NULLABLE = {
    *("BillingAccountName", "ChargeClass", "HostProviderName", "RegionId", "RegionName", "SubAccountId"),
    *("SubAccountName", "Tags"),
}
_DECIMAL = {
    *("BilledCost", "ContractedCost", "EffectiveCost", "ListCost", "PricingQuantity", "ConsumedQuantity"),
    *("ListUnitPrice", "ContractedUnitPrice"),
}
_TIMES = {"BillingPeriodEnd", "BillingPeriodStart", "ChargePeriodEnd", "ChargePeriodStart"}
_ALLOWED = {
    "ChargeCategory": {"Usage", "Purchase", "Tax", "Credit", "Adjustment"},
    "ChargeClass": {"", "Correction"},
    "ChargeFrequency": {"One-Time", "Recurring", "Usage-Based"},
    "PricingCategory": {"Standard", "Dynamic", "Committed", "Other"},
    "ServiceCategory": {"AI and Machine Learning"},
    "ServiceSubcategory": {"Generative AI"},
    "BillingCurrency": {"USD"},
}
_UNIT = re.compile(r"(?:[1-9][0-9]* )?[A-Z][a-z]+")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")


def flaws(header: Sequence[str], rows: Sequence[Mapping[str, str]], version: str) -> list[str]:
    """Return what breaks a rule, one sentence each."""
    found = [f"{name} is missing" for name in sorted(MANDATORY[version] - set(header))]
    own = [name for name in header if name.startswith("x_")]
    if list(header[-len(own) :]) != own:
        found.append("columns of ours stand among those of FOCUS")
    for name in header:
        if name not in MANDATORY[version] | _CONDITIONAL and name not in own:
            found.append(f"{name} is no column of FOCUS {version}")
    for number, row in enumerate(rows, 1):
        found += [f"row {number}: {flaw}" for flaw in (*_cells(row, header), *_sense(row))]
    return found


def _cells(row: Mapping[str, str], header: Sequence[str]) -> list[str]:
    found = []
    for name in header:
        value = row[name]
        if name.startswith("x_"):
            continue
        if not value:
            if name not in _NULLABLE:
                found.append(f"{name} is null")
        elif value != value.strip() or not value.isprintable():
            found.append(f"{name} has spaces around it or what cannot be printed")
        elif name in _DECIMAL and not _NUMBER.fullmatch(value):
            found.append(f"{name} is no decimal number: {value}")
        elif name in _TIMES and not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", value):
            found.append(f"{name} is no time in UTC: {value}")
        elif name in ("PricingUnit", "ConsumedUnit") and not _UNIT.fullmatch(value):
            found.append(f"{name} is no unit: {value}")
        if name in _ALLOWED and value not in _ALLOWED[name]:
            found.append(f"{name} may not be {value}")
    return found


def _sense(row: Mapping[str, str]) -> list[str]:
    found = []
    times = {name: datetime.fromisoformat(row[name]) for name in _TIMES}
    if not (
        times["BillingPeriodStart"]
        <= times["ChargePeriodStart"]
        < times["ChargePeriodEnd"]
        <= times["BillingPeriodEnd"]
    ):
        found.append("the charge lies outside its billing period")
    if any(moment.tzinfo != UTC for moment in times.values()):
        found.append("a time is not in UTC")
    quantity = Fraction(row["PricingQuantity"])
    for cost, price in (("ListCost", "ListUnitPrice"), ("ContractedCost", "ContractedUnitPrice")):
        amount = Fraction(row[cost])
        if abs(Fraction(row[price]) * quantity - amount) > Fraction(1, 10**9) * max(amount, 1):
            found.append(f"{cost} is not {price} times the quantity")
    if row["SkuPriceId"] and not row["SkuId"]:
        found.append("a price belongs to no SKU")
    if bool(row["SubAccountId"]) != bool(row["SubAccountName"]):
        found.append("a sub account has only half a name")
    if row["Tags"] and not all(value is True for value in json.loads(row["Tags"]).values()):
        found.append("a tag without a value must be true")
    return found
