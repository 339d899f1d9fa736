{#- Of several valid versions of a key, which are beaten: by a newer one of the window, or by
    the one that history holds. The order is total, so it never depends on files or threads. -#}
{%- macro newest_first(table, bronze, is_known_before) -%}
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
    from {{ bronze }} as bronze_rows
    semi join contenders using (_file, _row)

  ),

  {{ typed_rows(table, with_lineage=true) }},

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
    {%- if is_known_before %}
      or coalesce(older.ingestion_ts > ranked.ingestion_ts, false)
      or (older.ingestion_ts is not null and ranked.ingestion_ts is null)
      or (
        older.ingestion_ts is not distinct from ranked.ingestion_ts
        and older.ingestion_dt > ranked.ingestion_dt
      )
    {%- endif %} as is_beaten

  from ranked
  {%- if is_known_before %}
  left join older using ({{ key }})
  {%- endif %}
{%- endmacro -%}
