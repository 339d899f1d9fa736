{#- Scoring: what there is to say about the rows of a window, and only that.

    `verdicts` names the rows that are not simply accepted: why they are quarantined, whether
    an older version of a dimension's row is superseded, which values became null. `accepted`
    and `put_aside` split the window by it. A row is named by its file and its place in it. -#}

{#- The keys a foreign key may refer to: those of the window, and those of all other days.

    `parents` are the relations of the window's keys, `history` those of accepted rows outside
    it, both by table. -#}
{%- macro parent_keys(fk, parents, history) -%}
  {%- set key = var("tables")[fk["parent"]]["key"][0] -%}
  select {{ key }} as parent_key from {{ parents[fk["parent"]] }}
  {%- if has_history(fk["parent"]) %}
  union all
  select {{ key }} from {{ history[fk["parent"]] }}
  {%- endif -%}
{%- endmacro -%}

{#- The rows of a table that are not simply accepted.

    `bronze` is the relation of the window's rows, `parents` are those of the keys that foreign
    keys refer to, `history` those of accepted rows outside the window, both by table. -#}
{%- macro verdicts(name, bronze, parents={}, history={}) -%}
{%- set table = declared_table(name) -%}
{%- set is_known_before = has_history(name) -%}
{%- set key = table["key"] | join(", ") -%}
{%- set is_event = table["kind"] == "event" -%}
{%- set reason_codes = reasons(table) -%}
{%- set losable = [] -%}
{%- for column, c in table["columns"].items()
    if can_lose_values(c) and not c["required"] and (not c["lineage"] or column == "ingestion_ts") -%}
  {%- do losable.append(column) -%}
{%- endfor -%}
with

source as not materialized (

  {{ bronze_rows(table, bronze) }}

),

{{ typed_rows(table, with_lineage=false) }},

{% if is_known_before -%}
older as materialized (

  select {{ key }}, ingestion_ts, ingestion_dt
  from {{ history[name] }}
  semi join typed using ({{ key }})

),

{% endif -%}
repeated as materialized (

  select hash({{ key }}) as key_hash
  from typed
  group by all
  having count(*) > 1
  {%- if is_known_before %}
  union
  select hash({{ key }}) from older
  {%- endif %}

),

{% for fk in table["foreign_keys"] -%}
{%- set column = fk["columns"][0] -%}
{{ column }}_parents as not materialized (

  select distinct parent_key
  from ({{ parent_keys(fk, parents, history) }})
  {%- if has_history(fk["parent"]) %}
  semi join (select distinct {{ column }} as parent_key from typed) using (parent_key)
  {%- endif %}

),

{% endfor -%}
flagged as not materialized (

  select
    typed.*,
    {%- for fk in table["foreign_keys"] %}
    {%- set column = fk["columns"][0] %}
    typed.{{ column }} is not null and {{ column }}_parents.parent_key is null
    {%- if fk["guests"] %}
      and not regexp_full_match(typed.{{ column }}, '{{ var("guest_pattern") }}')
    {%- endif %} as no_{{ column }},
    {%- endfor %}
    repeated.key_hash is not null as is_repeated

  from typed
  left join repeated on hash(typed.{{ table["key"] | join(", typed.") }}) = repeated.key_hash
  {%- for fk in table["foreign_keys"] %}
  {%- set column = fk["columns"][0] %}
  left join {{ column }}_parents on typed.{{ column }} = {{ column }}_parents.parent_key
  {%- endfor %}

),

scored as materialized (

  select
    _file,
    _row,
    ingestion_dt,
    {{ key }},
    is_repeated,
    nullif(concat_ws('|',
      {%- for code, condition in reason_codes %}
      case when {{ condition }} then '{{ code }}' end{{ "," if not loop.last }}
      {%- endfor %}
    ), '') as invalid_reason,
    list_filter([
      {%- for column in losable %}
      case when {{ value_was_lost(column) }} then '{{ column }}' end{{ "," if not loop.last }}
      {%- endfor %}
    ]::varchar[], lambda x: x is not null) as nullified

  from flagged
  where is_repeated
    {%- for code, condition in reason_codes %}
    or {{ condition }}
    {%- endfor %}
    {%- for column in losable %}
    or ({{ value_was_lost(column) }})
    {%- endfor %}

),

contenders as materialized (

  select _file, _row
  from scored
  where is_repeated and invalid_reason is null

),

versions as materialized (

  {{ newest_first(table, bronze, is_known_before) }}

),

final as (

  select
    scored._file,
    scored._row,
    scored.ingestion_dt,
    scored.nullified,
    {%- if is_event %}
    case
      when scored.invalid_reason is not null then scored.invalid_reason
      when versions.is_beaten then 'duplicate:{{ table["key"] | join("+") }}'
    end as invalid_reason,
    false as is_superseded
    {%- else %}
    scored.invalid_reason,
    coalesce(versions.is_beaten, false) as is_superseded
    {%- endif %}

  from scored
  left join versions using (_file, _row)

)

select * from final
where invalid_reason is not null or is_superseded or len(nullified) > 0
{%- endmacro -%}
