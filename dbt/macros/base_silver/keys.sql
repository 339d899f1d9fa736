{#- Every key that stands in Bronze, whatever becomes of its row, and every key that a run of
    this lake has once seen there: erasing a customer deletes no sale. `last_seen_dt` is the
    newest ingest day that had it (null in layouts without one), so that a day can be forgotten. -#}
{%- macro known_keys(name, bronze, known) -%}
{%- set table = declared_table(name) -%}
{%- set forgotten = run_context()["forgotten"] -%}
{%- set key = table["key"][0] -%}
with

source as not materialized (

  select * from {{ bronze }}

),

{{ typed_rows(table, with_lineage=false) }},

delivered as (

  select {{ key }}, max(ingestion_dt) as last_seen_dt
  from typed
  where {{ key }} is not null
  group by {{ key }}

),

remembered as (

  select before.{{ key }}, before.last_seen_dt
  from {{ known }} as before
  anti join delivered on before.{{ key }} = delivered.{{ key }}
  {%- if forgotten %}
  where
    before.last_seen_dt is null
    or before.last_seen_dt::varchar not in ('{{ forgotten | join("', '") }}')
  {%- endif %}

)

select {{ key }}, last_seen_dt, true as is_in_bronze, 'current' as version
from delivered
union all
select {{ key }}, last_seen_dt, false as is_in_bronze, 'current' as version
from remembered
{%- endmacro -%}
