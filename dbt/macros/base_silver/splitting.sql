{#- The window, split by its verdicts into accepted and quarantined rows. -#}

{#- The accepted rows: typed, with their business date. `scored` are the table's verdicts. -#}
{%- macro accepted(name, bronze, scored) -%}
{%- set table = declared_table(name) -%}
with

source as not materialized (

  select * from ({{ bronze_rows(table, bronze) }})
  anti join (
    select _file, _row
    from {{ scored }}
    where invalid_reason is not null or is_superseded
  ) using (_file, _row)

),

{{ typed_rows(table, with_lineage=true) }}

select
  {%- for column in table["columns"] %}
  {{ column }},
  {%- endfor %}
  {%- if table["business_date"] %}
  cast({{ table["business_date"]["source"] }} as date) as {{ table["business_date"]["column"] }},
  {%- endif %}
  {{ "ingestion_dt" if table["kind"] == "event" else snapshot_column() }}

from typed
{%- endmacro -%}

{#- A snapshot knows nothing of later days. -#}
{%- macro bronze_rows(table, bronze) -%}
  {%- set day = snapshot_day() -%}
  select * from {{ bronze }}
  {%- if table["kind"] == "dimension" and day %}
  where ingestion_dt is null or ingestion_dt <= date '{{ day }}'
  {%- endif %}
{%- endmacro -%}

{#- The partition column of a dimension; null where no run says its day. -#}
{%- macro snapshot_column() -%}
  {%- set day = snapshot_day() -%}
  {{ "date '" ~ day ~ "'" if day else "cast(null as date)" }} as snapshot_dt
{%- endmacro -%}

{#- The rows that were put aside: every Bronze column as it was, as text. -#}
{%- macro put_aside(name, bronze, scored) -%}
{%- set table = declared_table(name) -%}
select
  {%- for name, column in table["columns"].items() %}
  {{ raw_text("bronze_rows." ~ adapter.quote(name), column["physical"]) }} as {{ adapter.quote(name) }},
  {%- endfor %}
  {%- for column in table["unknown"] %}
  bronze_rows.{{ as_named(column) }},
  {%- endfor %}
  scored.invalid_reason,
  {{ "bronze_rows.ingestion_dt" if table["kind"] == "event" else snapshot_column() }}

from {{ bronze }} as bronze_rows
inner join {{ scored }} as scored using (_file, _row)
where scored.invalid_reason is not null
{%- endmacro -%}
