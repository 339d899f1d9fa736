{#- What dbt's own date macros leave out. -#}

{%- macro iso_year(day) -%}
  {{- return(adapter.dispatch("iso_part", "medallion")("isoyear", day)) -}}
{%- endmacro -%}

{%- macro iso_week(day) -%}
  {{- return(adapter.dispatch("iso_part", "medallion")("week", day)) -}}
{%- endmacro -%}

{#- 1 is Monday. -#}
{%- macro day_of_week(day) -%}
  {{- return(adapter.dispatch("day_of_week", "medallion")(day)) -}}
{%- endmacro -%}

{%- macro default__iso_part(part, day) -%}extract({{ part }} from {{ day }}){%- endmacro -%}

{%- macro bigquery__iso_part(part, day) -%}
  extract({{ "isoweek" if part == "week" else part }} from {{ day }})
{%- endmacro -%}

{%- macro default__day_of_week(day) -%}extract(isodow from {{ day }}){%- endmacro -%}

{%- macro bigquery__day_of_week(day) -%}
  mod(extract(dayofweek from {{ day }}) + 5, 7) + 1
{%- endmacro -%}

{#- One row per day, both ends included. -#}
{%- macro days_between(first, last) -%}
  {{- return(adapter.dispatch("days_between", "medallion")(first, last)) -}}
{%- endmacro -%}

{%- macro default__days_between(first, last) -%}
  select cast(day as date) as date_dt
  from (select unnest(generate_series({{ first }}, {{ last }}, interval 1 day)) as day)
{%- endmacro -%}

{%- macro bigquery__days_between(first, last) -%}
  select date_dt from unnest(generate_date_array({{ first }}, {{ last }})) as date_dt
{%- endmacro -%}
