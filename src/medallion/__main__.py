"""The project as an installed program: `python -m medallion` runs it, as Kedro has it.

With the name of a command first (`python -m medallion lake plan`) it is that command.
"""

from __future__ import annotations

import os
import sys

from medallion.project import CONF


def main() -> None:
    """Runs the command that was given, `run` if none was."""
    # Kedro sets up logging when it is imported, by a file that it looks for where it is called.
    os.environ.setdefault("KEDRO_LOGGING_CONFIG", str(CONF / "logging.yml"))
    from kedro.framework.project import configure_project

    configure_project("medallion")
    from medallion.cli import cli

    arguments = sys.argv[1:]
    named = bool(arguments) and arguments[0] in (*cli.commands, "--help")
    cli(arguments if named else ["run", *arguments], prog_name="medallion")


if __name__ == "__main__":
    main()
