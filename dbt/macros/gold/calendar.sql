{#- Days. dbt's own date macros give times on one engine and days on the other. -#}

{#- The day so many days after another one. -#}
{%- macro days_after(day, n) -%}
  {{- return(adapter.dispatch("days_after", "medallion")(day, n)) -}}
{%- endmacro -%}

{%- macro default__days_after(day, n) -%}({{ day }} + ({{ n }})){%- endmacro -%}

{%- macro bigquery__days_after(day, n) -%}date_add({{ day }}, interval {{ n }} day){%- endmacro -%}

{%- macro month_start(day) -%}
  {{- return(adapter.dispatch("month_start", "medallion")(day)) -}}
{%- endmacro -%}

{%- macro default__month_start(day) -%}cast(date_trunc('month', {{ day }}) as date){%- endmacro -%}

{%- macro bigquery__month_start(day) -%}date_trunc({{ day }}, month){%- endmacro -%}

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
