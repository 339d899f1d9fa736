{#- Casts: from a cleaned value to its Silver type, null where it cannot be. -#}

{#- A raw value as text. A NaN has a sign, which DuckDB shows and which means nothing. -#}
{%- macro raw_text(x, physical) -%}
  {%- if physical == "DOUBLE" -%}replace(cast({{ x }} as varchar), '-nan', 'nan')
  {%- else -%}cast({{ x }} as varchar){%- endif -%}
{%- endmacro -%}

{#- A number as text: whole numbers without a point or an exponent, whatever their type was, so
    that an id that became a float still meets itself; others in their shortest form. The
    digits are those of the shortest form. NaN and infinities are no numbers. -#}
{%- macro number_text(text) -%}
  {%- set mantissa = "split_part(" ~ text ~ ", 'e+', 1)" -%}
  case
    when {{ text }} in ('nan', 'inf', '-inf') then null
    when regexp_full_match({{ text }}, '-?0\.0+') then '0'
    when regexp_full_match({{ text }}, '-?\d+\.0+') then split_part({{ text }}, '.', 1)
    when regexp_full_match({{ text }}, '-?\d+\.\d*[1-9]0+') then rtrim({{ text }}, '0')
    when regexp_full_match({{ text }}, '-?\d(\.\d+)?e\+\d+')
      then rpad(
        replace({{ mantissa }}, '.', ''),
        cast(split_part({{ text }}, 'e+', 2) as integer)
        + case when {{ text }}[1] = '-' then 2 else 1 end,
        '0'
      )
    else {{ text }}
  end
{%- endmacro -%}

{#- A value as the text that a text column holds; null where bytes are not UTF-8. -#}
{%- macro held_text(x, name, physical) -%}
  {%- if physical == "MIXED" -%}
    case {{ held_as(name) }} when 'text' then {{ x }} when 'other' then {{ number_text(x) }} end
  {%- elif physical == "DOUBLE" -%}{{ number_text(raw_text(x, physical)) }}
  {%- elif physical in ("VARCHAR", "ABSENT") -%}{{ x }}
  {%- else -%}{{ raw_text(x, physical) }}{%- endif -%}
{%- endmacro -%}

{%- macro to_text(x, name, column) -%}
  {%- set text = "(" ~ held_text(x, name, column["physical"]) ~ ")" -%}
  {%- if column["nullify"] == "email" -%}
    case when regexp_full_match(lower({{ text }}), '{{ var("email_pattern") }}')
    then lower({{ text }}) end
  {%- elif column["clean"] == "lower" -%}lower({{ text }})
  {%- elif column["clean"] == "title" -%}
    array_to_string(
      list_transform(string_split({{ text }}, ' '), lambda w: upper(w[1]) || lower(w[2:])), ' '
    )
  {%- else -%}{{ text }}{%- endif -%}
{%- endmacro -%}

{#- `12` and `12.0`, no exponent. A double that is whole is such a number while its shortest
    text has no exponent, so that it casts alike in a window where another file holds text. -#}
{%- macro to_int(x, physical) -%}
  {%- if physical == "BIGINT" -%}{{ x }}
  {%- elif physical == "DOUBLE" -%}
    case when abs({{ x }}) < 1e16 and cast(try_cast({{ x }} as bigint) as double) = {{ x }}
    then try_cast({{ x }} as bigint) end
  {%- else -%}
    {%- set text = "cast(" ~ x ~ " as varchar)" -%}
    case when regexp_full_match({{ text }}, '[+-]?\d+(\.0+)?')
    then try_cast(split_part({{ text }}, '.', 1) as bigint) end
  {%- endif -%}
{%- endmacro -%}

{#- Rounded half away from zero from the shortest decimal text. Where two decimals give a
    double back, they are that text, and the slow way through text is not needed. DuckDB casts
    text with an exponent without a look at the bounds of the decimal, so they are looked at. -#}
{%- macro to_money(x, physical) -%}
  {%- set text = "cast(" ~ x ~ " as varchar)" -%}
  {%- if physical == "BIGINT" -%}try_cast({{ x }} as decimal(18, 2))
  {%- elif physical == "DOUBLE" -%}
    case
      when abs({{ x }}) < 1e12
        and cast(try_cast({{ x }} as decimal(18, 2)) as double) = {{ x }}
        then try_cast({{ x }} as decimal(18, 2))
      when abs({{ x }}) < 1e16 then try_cast({{ text }} as decimal(18, 2))
    end
  {%- else -%}
    case
      when regexp_full_match({{ text }}, '[+-]?(\d+\.?\d*|\.\d+)')
        then try_cast({{ text }} as decimal(18, 2))
      when regexp_full_match({{ text }}, '[+-]?(\d+\.?\d*|\.\d+)[eE][+-]?\d+')
        and abs(try_cast({{ text }} as double)) < 1e16
        then try_cast({{ text }} as decimal(18, 2))
    end
  {%- endif -%}
{%- endmacro -%}

{%- macro to_bool(x, physical) -%}
  {%- if physical == "BOOLEAN" -%}{{ x }}
  {%- else -%}
    {%- set text = "lower(cast(" ~ x ~ " as varchar))" -%}
    case
      when {{ text }} in ('true', 't', 'yes', 'y', '1', '1.0') then true
      when {{ text }} in ('false', 'f', 'no', 'n', '0', '0.0') then false
    end
  {%- endif -%}
{%- endmacro -%}

{#- UTC without zone, to the microsecond: `T` or a blank, seconds and fractions optional, a
    date alone, an offset or Z with or without a blank before. 24:00 is no time. -#}
{%- macro to_timestamp(x) -%}
  {%- set text = "cast(" ~ x ~ " as varchar)" -%}
  {#- There is no year 0, though DuckDB reads one. -#}
  {%- set year = "(\\d{3}[1-9]|\\d{2}[1-9]\\d|\\d[1-9]\\d{2}|[1-9]\\d{3})" -%}
  {%- set day = year ~ "-\\d{2}-\\d{2}" -%}
  {%- set time = "([01]\\d|2[0-3]):[0-5]\\d(:[0-5]\\d(\\.\\d+)?)?" -%}
  {%- set offset = "(Z|[+-]([01]\\d|2[0-3])(:?[0-5]\\d)?)" -%}
  {%- set cut = "regexp_replace(" ~ text ~ ", '(\\.\\d{6})\\d+', '\\1')" -%}
  case
    when regexp_full_match({{ text }}, '{{ day }}([T ]{{ time }})?')
      then try_cast({{ cut }} as timestamp)
    when regexp_full_match({{ text }}, '{{ day }}[T ]{{ time }} ?{{ offset }}')
      then try_cast(regexp_replace({{ cut }}, ' ?{{ offset }}$', '') as timestamp)
        - to_minutes({{ offset_minutes(text) }})
  end
{%- endmacro -%}

{%- macro offset_minutes(text) -%}
  coalesce(
    case when regexp_extract({{ text }}, '([+-])\d{2}:?(\d{2})?$', 1) = '-' then -1 else 1 end
    * (
      60 * try_cast(regexp_extract({{ text }}, '[+-](\d{2}):?(\d{2})?$', 1) as integer)
      + coalesce(try_cast(regexp_extract({{ text }}, '[+-]\d{2}:?(\d{2})$', 1) as integer), 0)
    ),
    0
  )
{%- endmacro -%}

{#- Where a number does not fit its type, the largest or the smallest one that does: a column with
    bounds says `too_large` or `negative` of it, and no such value is ever accepted. A double
    above all whole ones in their shortest text has an exponent there, and is one all the same. -#}
{%- macro beyond(x, kind, physical) -%}
  {%- set most = {"money": "9999999999999999.99", "int": "9223372036854775807"}[kind] -%}
  {%- set type = {"money": "decimal(18, 2)", "int": "bigint"}[kind] -%}
  {%- if physical == "DOUBLE" -%}
    {%- set is_beyond = "abs(" ~ x ~ ") between 1e16 and 1.7976931348623157e308" -%}
    {%- set is_below = x ~ " < 0" -%}
  {%- elif physical == "BIGINT" -%}
    {%- set is_beyond = x ~ " is not null" -%}
    {%- set is_below = x ~ " < 0" -%}
  {%- else -%}
    {%- set text = "cast(" ~ x ~ " as varchar)" -%}
    {%- set number = {
        "money": "[+-]?(\\d+\\.?\\d*|\\.\\d+)([eE][+-]?\\d+)?",
        "int": "[+-]?(\\d+(\\.0+)?|\\d(\\.\\d+)?e\\+\\d+)",
    }[kind] -%}
    {%- set is_beyond = "regexp_full_match(" ~ text ~ ", '" ~ number ~ "')"
        ~ " and abs(try_cast(" ~ text ~ " as double)) >= 1e16" -%}
    {%- set is_below = text ~ "[1] = '-'" -%}
  {%- endif -%}
  case when {{ is_beyond }}
    then cast(case when {{ is_below }} then -{{ most }} else {{ most }} end as {{ type }}) end
{%- endmacro -%}

{#- The typed value of a cleaned column. -#}
{%- macro typed(name, column) -%}
  {%- set x = adapter.quote(name) -%}
  {%- set physical = column["physical"] -%}
  {%- if column["silver"] == "text" -%}{{ to_text(x, name, column) }}
  {%- elif column["silver"] in ("int", "money") -%}
    {%- set number = to_int(x, physical) if column["silver"] == "int" else to_money(x, physical) -%}
    {%- if column["check"] -%}coalesce({{ number }}, {{ beyond(x, column["silver"], physical) }})
    {%- else -%}{{ within(number, column["nullify"]) }}{%- endif -%}
  {%- elif column["silver"] == "bool" -%}{{ to_bool(x, physical) }}
  {%- elif column["silver"] == "timestamp" -%}{{ to_timestamp(x) }}
  {%- elif column["silver"] == "date" -%}cast({{ to_timestamp(x) }} as date)
  {%- else -%}
    {{- exceptions.raise_compiler_error("no cast to " ~ column["silver"]) -}}
  {%- endif -%}
{%- endmacro -%}

{#- Null outside of bounds. -#}
{%- macro within(x, bounds) -%}
  {%- if bounds is mapping -%}
    case when true
      {%- if bounds.get("below") is not none %} and {{ x }} >= {{ bounds["below"] }}{% endif -%}
      {%- if bounds.get("above") is not none %} and {{ x }} <= {{ bounds["above"] }}{% endif -%}
    {{ " " }}then {{ x }} end
  {%- else -%}{{ x }}{%- endif -%}
{%- endmacro -%}
