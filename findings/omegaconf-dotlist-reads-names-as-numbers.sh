#!/usr/bin/env bash
# Kedro 1.7.0 hands `--params` to OmegaConf 2.3.1 (`from_dotlist`), which reads values as YAML of its own
# kind: a name of digits is another value when it arrives, and what is told back is not what was
# typed. `007` is 7, `20251003_1` (a date and a counter, as schedulers number their runs) is
# 202510031, `2025.10` is 2025.1, `1e5` is 100000.0. No error, no warning; quotes inside the value
# keep it. It meets run ids and batch numbers that are given on the command line.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet kedro==1.7.0 omegaconf==2.3.1
KEDRO_DISABLE_TELEMETRY=1 "$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import click
from kedro.framework.cli.utils import _split_params

context = click.Context(click.Command("run"))
option = click.Option(["--params"])
names = ("007", "20251003_1", "2025.10", "1e5", "'007'", "a-7")
seen = {name: _split_params(context, option, f"batch={name}")["batch"] for name in names}
print("kedro", version("kedro"), "omegaconf", version("omegaconf"), seen)
assert seen == {
    "007": 7,
    "20251003_1": 202510031,
    "2025.10": 2025.1,
    "1e5": 100000.0,
    "'007'": "007",
    "a-7": "a-7",
}
PYTHON
