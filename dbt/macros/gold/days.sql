{#- Marts whose grain holds the day are built for the days that the plan of a run lists, and others
    read no more than it lists. The plan comes as var `marts`: by mart its `days`, and `reads`, the
    days of each table that they are made from. A mart that is not in it is built whole. -#}

{%- macro planned() -%}
  {{- return(var("marts", {}).get(model.name, {})) -}}
{%- endmacro -%}

{#- The configuration of a mart that is built by day. On DuckDB there is none: the materialization
    `mart` looks at the plan. On BigQuery it is dbt's own strategy, with days that are listed
    beforehand, because only so a day that came out empty is cleared. -#}
{%- macro by_day() -%}
  {{- return(adapter.dispatch("by_day", "medallion")(planned().get("days"))) -}}
{%- endmacro -%}

{%- macro default__by_day(days) -%}{%- endmacro -%}

{%- macro bigquery__by_day(days) -%}
  {{- config(
    materialized="incremental",
    incremental_strategy="insert_overwrite",
    full_refresh=(days is none),
    on_schema_change="fail",
    partition_by={"field": "ingestion_dt", "data_type": "date"},
    partitions=day_literals(days or [])
  ) -}}
{%- endmacro -%}

{#- Days as SQL writes them. Only for literals an engine leaves out what lies beside them. -#}
{%- macro day_literals(days) -%}
  {%- set literals = [] -%}
  {%- for day in days -%}{%- do literals.append("date '" ~ day ~ "'") -%}{%- endfor -%}
  {{- return(literals) -}}
{%- endmacro -%}

{%- macro among(days) -%}in ({{ day_literals(days) | join(", ") }}){%- endmacro -%}

{#- Whether a row of a table, such as `enriched.sales_velocity`, is one that the mart is made from. -#}
{%- macro is_read(table) -%}
  {%- set days = planned().get("reads", {}).get(table) -%}
  {%- if days is none -%}{{ is_of_any_day() }}{%- else -%}ingestion_dt {{ among(days) }}{%- endif -%}
{%- endmacro -%}

{%- macro is_of_any_day() -%}
  {{- return(adapter.dispatch("is_of_any_day", "medallion")()) -}}
{%- endmacro -%}

{%- macro default__is_of_any_day() -%}true{%- endmacro -%}

{#- A table may want every query to say which days it reads. -#}
{%- macro bigquery__is_of_any_day() -%}
  (ingestion_dt is null or ingestion_dt is not null)
{%- endmacro -%}

{#- The day of a row of a mart that is built by day. Every run would add a row of another day than
    those that it builds once more, and never take away one without a day: both are refused. The
    words are known to src/medallion/dbt_project/running.py. -#}
{%- macro built_day(day) -%}
  {%- set days = planned().get("days") -%}
  case
    when {{ day }} {{ "is not null" if days is none else among(days) }} then {{ day }}
    else error(concat(
      'gold.{{ model.name }} has a row of ',
      coalesce(cast({{ day }} as {{ sql_type("text") }}), 'no day'),
      ', which is not a day that is built'
    ))
  end
{%- endmacro -%}

{#- Whether a row is of a day that is built. -#}
{%- macro is_built() -%}
  {%- set days = planned().get("days") -%}
  {%- if days is none -%}true{%- else -%}ingestion_dt {{ among(days) }}{%- endif -%}
{%- endmacro -%}

{#- The newest day of a table, such as `enriched.sales_velocity`, and what to ask if the plan does
    not say it. -#}
{%- macro newest_day(table, relation) -%}
  {%- set days = planned().get("reads", {}).get(table) -%}
  {%- if days -%}{{ day_literals(days)[-1] }}
  {%- else -%}(select max(ingestion_dt) from {{ relation }} where {{ is_of_any_day() }})
  {%- endif -%}
{%- endmacro -%}
