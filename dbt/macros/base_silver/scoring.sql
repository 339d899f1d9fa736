{#- Scoring: what there is to say about the rows of a window, and only that.

    `verdicts` names the rows that are not simply accepted: why they are quarantined, whether
    an older version of a dimension's row is superseded, which values became null. `accepted`
    and `put_aside` split the window by it. A row is named by its file and its place in it. -#}

{#- A column of Bronze that the contract does not know may have any name. -#}
{%- macro as_named(column) -%}"{{ column | replace('"', '""') }}"{%- endmacro -%}

{%- macro value_was_lost(name) -%}
  {{ name }}__given and {{ name }} is null
{%- endmacro -%}

{#- A typed column can be null although a value was given; text that arrives as text cannot. -#}
{%- macro can_lose_values(column) -%}
  {{- return(
      column["silver"] != "text" or column["nullify"] == "email"
      or column["physical"] in ("MIXED", "DOUBLE")
  ) -}}
{%- endmacro -%}

{#- A column that stands twice in a file gives a value in every row, and nobody knows which. -#}
{%- macro is_given(name, column) -%}
  {{ name }} is not null
  {%- if column["ambiguous"] %} or {{ held_as(name) }} = 'ambiguous'{% endif -%}
{%- endmacro -%}

{#- CTEs `cleaned` and `typed` over the window; the latter has every contract column. -#}
{%- macro typed_rows(table, cleaning, with_lineage) -%}
  {%- set columns = {} -%}
  {%- for name, column in table["columns"].items()
      if with_lineage or not column["lineage"] or name == "ingestion_ts" -%}
    {%- do columns.update({name: column}) -%}
  {%- endfor -%}
  cleaned as not materialized (

    select
      _file,
      _row,
      ingestion_dt,
      {%- for name, column in columns.items() %}
      {%- if column["physical"] == "MIXED" %}
      {{ held_as(name) }},
      {%- endif %}
      {{ cleaned(name, column, cleaning) }} as {{ name }}{{ "," if not loop.last }}
      {%- endfor %}

    from source

  ),

  typed as not materialized (

    select
      _file,
      _row,
      ingestion_dt,
      {%- for name, column in columns.items() if can_lose_values(column) %}
      {{ is_given(name, column) }} as {{ name }}__given,
      {%- endfor %}
      {%- for name, column in columns.items() if column["ambiguous"] %}
      {{ held_as(name) }},
      {%- endfor %}
      {%- for name, column in columns.items() %}
      {{ typed(name, column, cleaning) }} as {{ name }}{{ "," if not loop.last }}
      {%- endfor %}

    from cleaned

  )
{%- endmacro -%}

{#- Reason codes with their conditions, in the order in which a row carries them. -#}
{%- macro reasons(table, cleaning) -%}
  {%- set found = [] -%}
  {%- set columns = table["columns"] -%}
  {%- for name, column in columns.items() if column["required"] -%}
    {%- do found.append(
        ("missing:" ~ name, ("not " ~ name ~ "__given") if can_lose_values(column) else name ~ " is null")
    ) -%}
    {%- if column["ambiguous"] -%}
      {%- do found.append(("ambiguous:" ~ name, held_as(name) ~ " = 'ambiguous'")) -%}
    {%- endif -%}
  {%- endfor -%}
  {%- for name, column in columns.items() if column["required"] and can_lose_values(column) -%}
    {%- set is_lost = value_was_lost(name) -%}
    {%- if column["ambiguous"] -%}
      {%- set is_lost = is_lost ~ " and " ~ held_as(name) ~ " <> 'ambiguous'" -%}
    {%- endif -%}
    {%- do found.append(("unparseable:" ~ name, is_lost)) -%}
  {%- endfor -%}
  {%- for name, column in columns.items() if column["check"] -%}
    {%- set is_money = column["check"] == "negative" -%}
    {%- do found.append((column["check"] ~ ":" ~ name, name ~ (" < 0" if is_money else " <= 0"))) -%}
    {%- set most = cleaning["max_money"] if is_money else cleaning["max_quantity"] -%}
    {%- do found.append(("too_large:" ~ name, name ~ " > " ~ most)) -%}
  {%- endfor -%}
  {%- for rule, condition in table["rules"].items() -%}
    {%- do found.append(("rule:" ~ rule, condition)) -%}
  {%- endfor -%}
  {%- for name, column in columns.items() if column["plausible"] -%}
    {%- do found.append((
        "rule:implausible_date:" ~ name,
        "(cast(" ~ name ~ " as date) > ingestion_dt + 1 or cast(" ~ name ~ " as date) < date '"
        ~ cleaning["earliest_date"] ~ "')"
    )) -%}
  {%- endfor -%}
  {%- set referring = table["foreign_keys"] | map(attribute="columns") | sum(start=[]) -%}
  {%- for name in columns if name in referring -%}
    {%- do found.append(("fk:" ~ name, "no_" ~ name)) -%}
  {%- endfor -%}
  {{- return(found) -}}
{%- endmacro -%}

{#- The keys a foreign key may refer to. -#}
{%- macro parent_keys(fk, tables) -%}
  {%- set parent = tables[fk["parent"]] -%}
  {%- set key = parent["key"][0] -%}
  {%- if parent["kind"] == "dimension" -%}
    select {{ key }} as parent_key from keys.{{ fk["parent"] }}
  {%- else -%}
    select {{ key }} as parent_key from base_silver.stg_{{ fk["parent"] }}
    {%- if parent["has_history"] %}
    union all
    select {{ key }} from history.{{ fk["parent"] }}
    {%- endif -%}
  {%- endif -%}
{%- endmacro -%}

{%- macro verdicts(name) -%}
{%- set facts = spec() -%}
{%- set table = facts["tables"].get(name) -%}
{%- if not table -%}select 1 as nothing_yet{%- else -%}
{%- set cleaning = facts["cleaning"] -%}
{%- set key = table["key"] | join(", ") -%}
{%- set is_event = table["kind"] == "event" -%}
{%- set reason_codes = reasons(table, cleaning) -%}
{%- set losable = [] -%}
{%- for column, c in table["columns"].items()
    if can_lose_values(c) and not c["required"] and (not c["lineage"] or column == "ingestion_ts") -%}
  {%- do losable.append(column) -%}
{%- endfor -%}
with

source as not materialized (

  {{ bronze_rows(name, facts) }}

),

{{ typed_rows(table, cleaning, with_lineage=false) }},

{% if table["has_history"] -%}
older as materialized (

  select {{ key }}, ingestion_ts, ingestion_dt
  from history.{{ name }}
  semi join typed using ({{ key }})

),

{% endif -%}
repeated as materialized (

  select hash({{ key }}) as key_hash
  from typed
  group by all
  having count(*) > 1
  {%- if table["has_history"] %}
  union
  select hash({{ key }}) from older
  {%- endif %}

),

{% for fk in table["foreign_keys"] -%}
{%- set column = fk["columns"][0] -%}
{{ column }}_parents as not materialized (

  select distinct parent_key
  from ({{ parent_keys(fk, facts["tables"]) }})
  {%- if facts["tables"][fk["parent"]]["has_history"] %}
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
      and not regexp_full_match(typed.{{ column }}, '{{ cleaning["guest_pattern"] }}')
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

  {{ newest_first(name, table, cleaning) }}

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
{%- endif -%}
{%- endmacro -%}

{#- Of several valid versions of a key, which are beaten: by a newer one of the window, or by
    the one that history holds. The order is total, so it never depends on files or threads. -#}
{%- macro newest_first(name, table, cleaning) -%}
  {%- set key = table["key"] | join(", ") -%}
  {%- set order = ["ingestion_ts", "ingestion_dt", "source_file"] -%}
  {%- for column in table["columns"] if column not in order -%}
    {%- do order.append(column) -%}
  {%- endfor -%}
  {%- for column in table["unknown"] -%}{%- do order.append("raw." ~ as_named(column)) -%}{%- endfor -%}
  {#- Rows that are the same once typed may differ as they came, and the loser is kept as it came. -#}
  {%- for column in table["columns"] -%}
    {%- do order.append("raw." ~ adapter.quote(column) ~ "::varchar") -%}
  {%- endfor -%}
  with

  source as (

    select bronze_rows.*
    from bronze.{{ name }} as bronze_rows
    semi join contenders using (_file, _row)

  ),

  {{ typed_rows(table, cleaning, with_lineage=true) }},

  ranked as (

    select
      typed._file,
      typed._row,
      typed.ingestion_ts,
      typed.ingestion_dt,
      {%- for column in table["key"] %}
      typed.{{ column }},
      {%- endfor %}
      row_number() over (
        partition by {% for column in table["key"] %}typed.{{ column }}{{ ", " if not loop.last }}{% endfor %}
        order by
          {%- for column in order %}
          {{ column if column.startswith("raw.") else "typed." ~ column }} desc nulls last{{ "," if not loop.last }}
          {%- endfor %}
      ) as version

    from typed
    inner join source as raw using (_file, _row)

  )

  select
    ranked._file,
    ranked._row,
    ranked.version > 1
    {%- if table["has_history"] %}
      or coalesce(older.ingestion_ts > ranked.ingestion_ts, false)
      or (older.ingestion_ts is not null and ranked.ingestion_ts is null)
      or (
        older.ingestion_ts is not distinct from ranked.ingestion_ts
        and older.ingestion_dt > ranked.ingestion_dt
      )
    {%- endif %} as is_beaten

  from ranked
  {%- if table["has_history"] %}
  left join older using ({{ key }})
  {%- endif %}
{%- endmacro -%}

{#- The accepted rows: typed, with their business date. -#}
{%- macro accepted(name) -%}
{%- set facts = spec() -%}
{%- set table = facts["tables"].get(name) -%}
{%- if not table -%}select 1 as nothing_yet{%- else -%}
with

source as not materialized (

  select * from ({{ bronze_rows(name, facts) }})
  {%- if has_outcasts(name) %}
  anti join (
    select _file, _row
    from base_silver.int_{{ name }}_scored
    where invalid_reason is not null or is_superseded
  ) using (_file, _row)
  {%- endif %}

),

{{ typed_rows(table, facts["cleaning"], with_lineage=true) }}

select
  {%- for column in table["columns"] %}
  {{ column }},
  {%- endfor %}
  {%- if table["business_date"] %}
  cast({{ table["business_date"]["source"] }} as date) as {{ table["business_date"]["column"] }},
  {%- endif %}
  {% if table["kind"] == "event" %}ingestion_dt{% else %}date '{{ facts["snapshot"] }}' as snapshot_dt{% endif %}

from typed
{%- endif -%}
{%- endmacro -%}

{#- A snapshot knows nothing of later days. -#}
{%- macro bronze_rows(name, facts) -%}
  select * from bronze.{{ name }}
  {%- if facts["tables"][name]["kind"] == "dimension" and facts["snapshot"] %}
  where ingestion_dt is null or ingestion_dt <= date '{{ facts["snapshot"] }}'
  {%- endif %}
{%- endmacro -%}

{#- Every key that stands in Bronze, whatever becomes of its row, and every key that a run of
    this lake has once seen there: erasing a customer deletes no sale. `last_seen_dt` is the
    newest ingest day that had it (null in layouts without one), so that a day can be forgotten. -#}
{%- macro known_keys(name) -%}
{%- set facts = spec() -%}
{%- set table = facts["tables"].get(name) -%}
{%- if not table -%}select 1 as nothing_yet{%- else -%}
{%- set key = table["key"][0] -%}
with

source as not materialized (

  select * from bronze.{{ name }}

),

{{ typed_rows(table, facts["cleaning"], with_lineage=false) }},

delivered as (

  select {{ key }}, max(ingestion_dt) as last_seen_dt
  from typed
  where {{ key }} is not null
  group by {{ key }}

),

remembered as (

  select before.{{ key }}, before.last_seen_dt
  from keys.{{ name }}_before as before
  anti join delivered on before.{{ key }} = delivered.{{ key }}
  {%- if facts["forgotten"] %}
  where
    before.last_seen_dt is null
    or before.last_seen_dt::varchar not in ('{{ facts["forgotten"] | join("', '") }}')
  {%- endif %}

)

select {{ key }}, last_seen_dt, true as is_in_bronze, 'current' as version
from delivered
union all
select {{ key }}, last_seen_dt, false as is_in_bronze, 'current' as version
from remembered
{%- endif -%}
{%- endmacro -%}

{%- macro has_outcasts(name) -%}
  {%- set found = run_query(
      "select count(*) from base_silver.int_" ~ name ~ "_scored"
      ~ " where invalid_reason is not null or is_superseded"
  ) -%}
  {{- return(found.columns[0].values()[0] > 0) -}}
{%- endmacro -%}

{#- The rows that were put aside: every Bronze column as it was, as text. -#}
{%- macro put_aside(name) -%}
{%- set facts = spec() -%}
{%- set table = facts["tables"].get(name) -%}
{%- if not table -%}select 1 as nothing_yet{%- else -%}
select
  {%- for name, column in table["columns"].items() %}
  {{ raw_text("bronze_rows." ~ adapter.quote(name), column["physical"]) }} as {{ adapter.quote(name) }},
  {%- endfor %}
  {%- for column in table["unknown"] %}
  bronze_rows.{{ as_named(column) }},
  {%- endfor %}
  scored.invalid_reason,
  {% if table["kind"] == "event" %}bronze_rows.ingestion_dt{% else %}date '{{ facts["snapshot"] }}' as snapshot_dt{% endif %}

from bronze.{{ name }} as bronze_rows
inner join base_silver.int_{{ name }}_scored as scored using (_file, _row)
where scored.invalid_reason is not null
{%- endif -%}
{%- endmacro -%}
