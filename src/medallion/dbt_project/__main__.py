"""`python -m medallion.dbt_project`: write the spec into the dbt project."""

from __future__ import annotations

from medallion.dbt_project.spec_vars import PROJECT_FILE, SOURCES_FILE, project_text, sources_text
from medallion.project import resource
from medallion.spec import load_spec


def main() -> None:
    """Writes the vars of the project, and the sources of Base Silver."""
    spec = load_spec(resource("conf/base/spec.yml"))
    project = project_text(spec, PROJECT_FILE.read_text(encoding="utf-8"))
    PROJECT_FILE.write_text(project, encoding="utf-8")
    SOURCES_FILE.write_text(sources_text(spec), encoding="utf-8")


if __name__ == "__main__":
    main()
