{#- The facts about the tables, as conf/base/spec.yml states them. The plugin puts them into
    the database, so nothing of the spec is repeated in this project. Empty while dbt parses. -#}
{%- macro spec() -%}
  {%- if not execute -%}{{- return({"tables": {}}) -}}{%- endif -%}
  {{- return(fromjson(run_query("select facts from spec.facts").columns[0].values()[0])) -}}
{%- endmacro -%}

{#- One table of the spec, or nothing while dbt parses. -#}
{%- macro spec_table(name) -%}
  {{- return(spec()["tables"].get(name)) -}}
{%- endmacro -%}

{#- The table that a model stages. -#}
{%- macro table_of(model) -%}
  {{- return(model.identifier | replace("stg_", "")) -}}
{%- endmacro -%}
