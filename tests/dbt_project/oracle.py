"""The reading rules of orders a second time, in plain Python: one value, one row at a time."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

BLANKS = " \t\r\n\v\f"
NULL_WORDS = {"", "null", "none", "nan", "n/a"}
TRUE, FALSE = {"true", "t", "yes", "y", "1", "1.0"}, {"false", "f", "no", "n", "0", "0.0"}
MONTHS_DAYS_TIMES = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)"
    r"(?:[T ](?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.(?P<fraction>\d+))?)?"
    r"(?P<offset> ?(?:Z|(?P<sign>[+-])(?P<oh>\d\d)(?::?(?P<om>\d\d))?))?)?",
    re.ASCII,
)
MAX_MONEY = 10_000_000_000
# The largest number that money can be: what is larger is as much too large.
LARGEST = Decimal("9999999999999999.99")
LOWERED = {
    "email",
    "order_channel",
    "customer_tier",
    "payment_method",
    "shipping_speed",
    "clv_bucket",
}
TYPES = {
    "order_id": "text",
    "total_items": "int",
    "order_date": "timestamp",
    "customer_id": "text",
    "email": "text",
    "order_channel": "text",
    "is_expedited": "bool",
    "customer_tier": "text",
    "gross_total": "money",
    "net_total": "money",
    "total_discount_amount": "money",
    "payment_method": "text",
    "shipping_speed": "text",
    "shipping_cost": "money",
    "agent_id": "text",
    "actual_shipping_cost": "money",
    "payment_processing_fee": "money",
    "shipping_address": "text",
    "billing_address": "text",
    "clv_bucket": "text",
    "is_reactivated": "bool",
    "batch_id": "text",
    "ingestion_ts": "timestamp",
    "event_id": "text",
    "source_file": "text",
}
REQUIRED = ("order_id", "order_date", "customer_id", "gross_total", "net_total")


@dataclass
class Verdict:
    """What must become of one Bronze order."""

    silver: dict[str, Any] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    nullified: list[str] = field(default_factory=list)


def judge(raw: dict[str, Any], day: date, customers: set[str]) -> Verdict:
    """Reads one order as the reference says."""
    verdict = Verdict()
    missing, unparseable = [], []
    for name, kind in TYPES.items():
        given = clean(raw.get(name))
        value = cast(given, kind)
        if name in LOWERED and value is not None:
            value = value.lower()
        if name == "email" and value and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", value):
            value = None
        verdict.silver[name] = value
        if given is not None and value is None:
            (unparseable if name in REQUIRED else verdict.nullified).append(name)
        if given is None and name in REQUIRED:
            missing.append(name)
    verdict.reasons = [
        *(f"missing:{name}" for name in missing),
        *(f"unparseable:{name}" for name in unparseable),
        *_rules(verdict.silver, day, customers),
    ]
    moment = verdict.silver["order_date"]
    verdict.silver["order_dt"] = moment.date() if moment else None
    return verdict


def _rules(order: dict[str, Any], day: date, customers: set[str]) -> list[str]:
    found = [
        f"{'negative' if order[name] < 0 else 'too_large'}:{name}"
        for name, kind in TYPES.items()
        if kind == "money" and order[name] is not None and not 0 <= order[name] <= MAX_MONEY
    ]
    net, gross = order["net_total"], order["gross_total"]
    if net is not None and gross is not None and net > gross:
        found.append("rule:net_exceeds_gross")
    moment = order["order_date"]
    if moment and not date(2000, 1, 1) <= moment.date() <= day + timedelta(days=1):
        found.append("rule:implausible_date:order_date")
    customer = order["customer_id"]
    is_guest = bool(re.fullmatch(r"GUEST-\d+", customer or "", re.ASCII))
    if customer is not None and customer not in customers and not is_guest:
        found.append("fk:customer_id")
    return found


def clean(value: Any) -> Any:
    """Text without blanks around it, unless it is a null word; anything else as it is."""
    if not isinstance(value, str):
        return value
    text = value.strip(BLANKS)
    return None if text.lower() in NULL_WORDS else text


def shown(value: Any) -> str | None:
    """How quarantine keeps a raw value."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value)


def cast(value: Any, kind: str) -> Any:
    """The typed value, or None where it is none."""
    if value is None:
        return None
    text = shown(value)
    if kind == "text" and isinstance(value, float):
        return _number_text(value)
    casts = {"text": str, "int": _int, "money": _money, "bool": _bool, "timestamp": _timestamp}
    return casts[kind](text)


def _number_text(number: float) -> str | None:
    if not math.isfinite(number):
        return None
    if not number.is_integer():
        return repr(number)
    return f"{Decimal(repr(number)) + 0:f}".removesuffix(".0")


def _int(text: str) -> int | None:
    if not re.fullmatch(r"[+-]?\d+(\.0+)?", text, re.ASCII):
        return None
    number = int(text.partition(".")[0])
    return number if -(2**63) <= number < 2**63 else None


def _money(text: str) -> Decimal | None:
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text, re.ASCII):
        return None
    number = Decimal(text)
    if abs(number) > LARGEST:
        return LARGEST.copy_sign(number)
    return min(number.quantize(Decimal("0.01"), ROUND_HALF_UP), LARGEST)


def _bool(text: str) -> bool | None:
    word = text.lower()
    return True if word in TRUE else False if word in FALSE else None


def _timestamp(text: str) -> datetime | None:
    found = MONTHS_DAYS_TIMES.fullmatch(text)
    if not found:
        return None
    part = found.groupdict()
    try:
        moment = datetime.fromisoformat(part["day"]).replace(
            hour=int(part["hour"] or 0),
            minute=int(part["minute"] or 0),
            second=int(part["second"] or 0),
            microsecond=int((part["fraction"] or "")[:6].ljust(6, "0")),
        )
    except ValueError:
        return None
    hours, minutes = int(part["oh"] or 0), int(part["om"] or 0)
    if hours > 23 or minutes > 59:
        return None
    ahead = timedelta(hours=hours, minutes=minutes)
    return moment + ahead if part["sign"] == "-" else moment - ahead
