"""Runs all transforms on a shop of some thousand rows and writes Parquet into a folder."""

from __future__ import annotations

import random
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from medallion.spec import load_spec
from medallion.transforms import TRANSFORMS
from tests.transforms.shops import Shop
from tests.transforms.tables import at, day, frame, transform

DAYS = [day(number) for number in range(1, 11)]


def main(folder: Path) -> None:
    """Writes one file for each transform."""
    spec = load_spec(Path(__file__).resolve().parents[2] / "conf" / "base" / "spec.yml")
    inputs = {name: frame(spec, name, rows) for name, rows in _shop().items()}
    for name in (*inputs_first(), *TRANSFORMS):
        result = transform(spec, name, DAYS, inputs).collect()
        result.write_parquet(folder / f"{name}.parquet")
        inputs[name] = result.lazy()


def inputs_first() -> tuple[str, ...]:
    """The transforms that another one reads."""
    return ("attributed_purchases", "cart_attribution")


def _shop() -> Shop:
    draw = random.Random(7)  # noqa: S311

    def cents() -> Decimal:
        return Decimal(draw.randrange(100_000)) / 100

    def time() -> object:
        return at(1, "00:00") + timedelta(minutes=draw.randrange(10 * 24 * 60))

    def customer() -> str:
        return f"CUST-{draw.randrange(300)}"

    carts = [
        {"cart_id": f"C{n}", "customer_id": customer(), "created_at": time(), "status": "abandoned"}
        for n in range(4000)
    ]
    orders = [
        {
            "order_id": f"O{n}",
            "customer_id": customer(),
            "order_date": time(),
            "gross_total": cents(),
            "net_total": cents(),
        }
        for n in range(2000)
    ]
    lines = [
        {
            "product_id": n % 50,
            "quantity": n % 4 + 1,
            "unit_price": cents(),
            "category": f"c{n % 5}",
        }
        for n in range(8000)
    ]
    return {
        "shopping_carts": carts,
        "orders": orders,
        "order_items": [
            {**line, "order_id": f"O{n % 2000}", "ingestion_dt": draw.choice(DAYS)}
            for n, line in enumerate(lines)
        ],
        "cart_items": [
            {**line, "cart_id": f"C{n % 4000}", "cart_item_id": n, "added_at": time()}
            for n, line in enumerate(lines)
        ],
        "returns": [
            {
                "return_id": f"R{n}",
                "order_id": f"O{n}",
                "customer_id": customer(),
                "return_date": draw.choice(DAYS),
                "refunded_amount": cents(),
            }
            for n in range(300)
        ],
        "customers": [{"customer_id": f"CUST-{n}", "signup_date": DAYS[0]} for n in range(300)],
        "product_catalog": [{"product_id": n, "inventory_quantity": n} for n in range(50)],
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
