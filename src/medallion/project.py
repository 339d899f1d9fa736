"""Where the project's own files are: in a checkout, or inside the installed package."""

from __future__ import annotations

from pathlib import Path

#: The code.
PACKAGE = Path(__file__).resolve().parent


def _home() -> Path:
    checkout = PACKAGE.parents[1]
    return checkout if (checkout / "conf" / "base").is_dir() else PACKAGE / "_project"


#: Holds `conf/` and `dbt/`.
HOME = _home()
#: Whether the code runs from a checkout and not from a wheel.
IS_CHECKOUT = HOME != PACKAGE / "_project"
CONF = HOME / "conf"
DBT = HOME / "dbt"
#: Where relative roots begin: an installed package writes where it is called, not into itself.
WORK = HOME if IS_CHECKOUT else Path.cwd()


def resource(path: str) -> str:
    """A file of the project, such as `conf/base/spec.yml`."""
    return str(HOME / path)
