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
{%- macro typed_rows(table, with_lineage) -%}
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
      {{ cleaned(name, column) }} as {{ name }}{{ "," if not loop.last }}
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
      {{ typed(name, column) }} as {{ name }}{{ "," if not loop.last }}
      {%- endfor %}

    from cleaned

  )
{%- endmacro -%}
