{#- What is known about the tables. The spec stands in the vars of the project, which a run gives
    anew; how the window of a run holds the columns, only the run knows. -#}

{#- One table: its keys, rules and columns as the spec states them, and of each column how the
    window holds it. Without a run every column is held as the spec says. -#}
{%- macro declared_table(name) -%}
  {%- set declared = var("tables")[name] -%}
  {%- set held = run_context()["tables"].get(name, {}) -%}
  {%- set columns = {} -%}
  {%- for column, given in declared["columns"].items() -%}
    {%- do columns.update({column: dict(
        given,
        physical=held.get("physical", {}).get(column, given["physical"]),
        ambiguous=column in held.get("ambiguous", [])
    )}) -%}
  {%- endfor -%}
  {{- return(dict(declared, columns=columns, unknown=held.get("unknown", []))) -}}
{%- endmacro -%}

{#- What the plugin has put into the database about the run; empty where there is no run. -#}
{%- macro run_context() -%}
  {%- if execute and adapter.get_relation(target.database, "run", "context") -%}
    {{- return(fromjson(run_query("select context from run.context").columns[0].values()[0])) -}}
  {%- endif -%}
  {{- return({"tables": {}, "snapshot": none, "forgotten": []}) -}}
{%- endmacro -%}

{#- Whether the lake holds accepted rows of a table outside the window. -#}
{%- macro has_history(name) -%}
  {{- return(run_context()["tables"].get(name, {}).get("has_history", false)) -}}
{%- endmacro -%}

{#- The day of the snapshots that are built. -#}
{%- macro snapshot_day() -%}
  {{- return(run_context()["snapshot"]) -}}
{%- endmacro -%}

{#- What the spec says of the table that a model stages. While dbt parses, a test does not know
    its model yet. -#}
{%- macro staged_table(model) -%}
  {%- if not execute -%}{{- return({"key": ["1"], "columns": {}, "foreign_keys": []}) -}}{%- endif -%}
  {{- return(var("tables")[model.identifier | replace("stg_", "")]) -}}
{%- endmacro -%}
