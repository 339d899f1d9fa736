"""The page of a run: one file without anything from elsewhere, for people who do not run it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.gates.reports.rows import count_in, text_in
from medallion.gates.result import GateResult, Json

if TYPE_CHECKING:
    from jinja2 import Template

Run = Mapping[str, Any]
Gates = Mapping[str, GateResult]
_TEMPLATE = Path(__file__).with_name("page.html.j2")
_LAYERS = {
    "bronze": "Bronze",
    "dims": "Dimensions",
    "base_silver": "Base Silver",
    "enriched": "Enriched Silver",
    "gold": "Gold",
}
_TOP = 12
_CLASSES = {"passed": "good", "warned": "warn", "stopped": "bad"}
_SEVERITIES = ("critical", "warning", "info")
_DRIFT = {
    "missing_required_columns": "{} missing",
    "ambiguous_columns": "{} twice in the file",
    "schema_drift": "{}",
}


def page(run: Run, gates: Gates) -> str:
    """Writes the page of a run as HTML that opens from disk, offline.

    Args:
        run: The run report, as in `run.json`.
        gates: What the gates found, by layer.
    """
    return _template().render(
        run=run,
        verdict=_verdict(run),
        window=_window(run),
        gates=list(_gates(run, gates)),
        findings=list(_findings(gates)),
        outcomes=list(_outcomes(gates)),
        reasons=list(_reasons(gates)),
        trend=_trend(gates),
        drift=list(_drift(gates)),
        stages=list(_stages(run)),
        made=list(_made(run)),
    )


@lru_cache(maxsize=1)
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True,
                              lstrip_blocks=True)  # fmt: skip
    environment.filters["count"] = lambda value: "-" if value is None else f"{value:,}"
    environment.filters["share"] = lambda value: "-" if value is None else f"{100 * value:.2f} %"
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))


def _verdict(run: Run) -> dict[str, str]:
    """The verdict in a word, a sentence and a colour."""
    if run["status"] != "succeeded":
        return {"word": "Stopped", "class": "bad", "text": "Nothing after this point was built."}
    failed = sum(int(gate["failed"]) for gate in run["gates"].values())
    earlier = sum(len(gate["standing"]) for gate in run["gates"].values())
    if failed or earlier:
        text = f"{failed + earlier} checks ask for attention; everything was built."
        return {"word": "Passed with warnings", "class": "warn", "text": text}
    return {"word": "Passed", "class": "good", "text": "Every check holds."}


def _window(run: Run) -> str:
    plan = run["plan"] or {}
    days = sorted({p["partition"].partition("=")[2] for p in plan.get("partitions", ())})
    if not days:
        return "no new Bronze day"
    return days[0] if len(days) == 1 else f"{days[0]} to {days[-1]} ({len(days)} days)"


def _gates(run: Run, gates: Gates) -> Iterable[dict[str, object]]:
    for layer, title in _LAYERS.items():
        gate = gates.get(layer)
        verdict = gate.verdict if gate else "not reached"
        yield {
            "title": title,
            "verdict": "nothing new" if gate and not gate.tables else verdict,
            "class": _CLASSES.get(verdict, "idle"),
            "evaluated": gate.evaluated if gate else 0,
            "failed": gate.failed if gate else 0,
            "seconds": run["gates"].get(layer, {}).get("seconds", 0.0),
        }


def _findings(gates: Gates) -> Iterable[Json]:
    """What failed, the gravest first."""
    found: list[Json] = [
        {**failure.as_json(), "layer": _LAYERS[layer], "from_before": from_before}
        for layer, gate in gates.items()
        for from_before, failures in ((False, gate.failures), (True, gate.earlier_failures))
        for failure in failures
        if failure.is_told
    ]
    return sorted(found, key=lambda failure: _SEVERITIES.index(text_in(failure, "severity")))


def _outcomes(gates: Gates) -> Iterable[dict[str, object]]:
    """What became of the Bronze rows of every table, as shares of a bar."""
    for table, rows in _of_silver(gates, "measures"):
        row = rows[0] if rows else {}
        bronze = count_in(row, "bronze_rows")
        if bronze:
            superseded = count_in(row, "superseded_rows") or 0
            parts = (
                count_in(row, "accepted_rows"),
                superseded,
                count_in(row, "quarantined_rows"),
            )
            yield {
                "table": table,
                **row,
                "superseded_rows": superseded,
                "widths": [100 * (part or 0) / bronze for part in parts],
            }


def _reasons(gates: Gates) -> Sequence[dict[str, object]]:
    found: list[Json] = [
        {"table": table, **row} for table, rows in _of_silver(gates, "reasons") for row in rows
    ]
    found.sort(key=lambda row: (-_rows(row), text_in(row, "table"), text_in(row, "reason")))
    most = _rows(found[0]) if found else 1
    return [{**row, "width": 100 * _rows(row) / most} for row in found[:_TOP]]


def _rows(row: Json) -> int:
    return count_in(row, "row_count") or 0


def _of_silver(gates: Gates, subject: str) -> Iterable[tuple[str, Sequence[Json]]]:
    """The measured rows of the tables that Bronze rows become."""
    for layer in ("dims", "base_silver"):
        if layer in gates:
            yield from gates[layer].measured(subject).items()


def _trend(gates: Gates) -> dict[str, object]:
    """The quarantine shares of the last runs, as lines of a picture of 100 by 100."""
    history = gates["base_silver"].history if "base_silver" in gates else ()
    if len(history) < 2:  # noqa: PLR2004 - one run makes no trend
        return {}
    names = sorted({name for entry in history for name in entry.shares})
    most = max(share for entry in history for share in entry.shares.values()) or 1.0
    step = 100 / (len(history) - 1)
    lines = [
        {
            "table": name,
            "points": " ".join(
                f"{n * step:.1f},{100 - 100 * entry.shares[name] / most:.1f}"
                for n, entry in enumerate(history)
                if name in entry.shares
            ),
            "last": next((e.shares[name] for e in reversed(history) if name in e.shares), None),
        }
        for name in names
    ]
    return {"lines": lines, "most": most, "runs": len(history)}


def _drift(gates: Gates) -> Iterable[dict[str, object]]:
    alike: dict[tuple[str, str], int] = {}
    files = gates["bronze"].measured("files") if "bronze" in gates else {}
    for table, rows in files.items():
        for row in rows:
            for name, words in _DRIFT.items():
                if row.get(name):
                    said = words.format(row[name])
                    alike[table, said] = alike.get((table, said), 0) + 1
    for (table, said), count in alike.items():
        yield {"table": table, "said": said, "files": count}


def _stages(run: Run) -> Iterable[dict[str, Any]]:
    longest = max((stage["seconds"] for stage in run["stages"]), default=0.0) or 1.0
    for stage in run["stages"]:
        yield {**stage, "width": 100 * stage["seconds"] / longest}


def _made(run: Run) -> Iterable[dict[str, Any]]:
    for layer, tables in (("enriched", run["enriched"]),):
        for name, made in tables.items():
            if made["days"]:
                yield {"table": f"{layer}.{name}", "rows": made["rows"]}
    for row in run["tables"].get("gold", ()):
        yield {"table": f"gold.{row['table']}", "rows": row["accepted"]}
