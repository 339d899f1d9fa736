{#- Cleaning: from what Bronze holds to text without blanks around it and without null words.
    A column that Bronze does not hold as text is left as it is. -#}

{#- Most values have no blank at either end; looking first is eight times faster. -#}
{%- macro trimmed(x) -%}
  case
    when ascii({{ x }}) > 32 and ascii({{ x }}[-1]) > 32 then {{ x }}
    else trim({{ x }}, ' ' || chr(9) || chr(10) || chr(11) || chr(12) || chr(13))
  end
{%- endmacro -%}

{%- macro without_null_words(x, words) -%}
  case
    when strlen({{ x }}) > {{ words | map("length") | max }} then {{ x }}
    when lower({{ x }}) in ('{{ words | join("', '") }}') then null
    else {{ x }}
  end
{%- endmacro -%}

{#- How a file holds a value of a mixed column: as `text`, as `bytes` that are no text, as
    something `other`, or `ambiguous`, where the column stands twice in the file. -#}
{%- macro held_as(name) -%}{{ adapter.quote(name ~ "__held") }}{%- endmacro -%}

{#- The cleaned value of a column, by how the window holds it. -#}
{%- macro cleaned(name, column) -%}
  {%- set text = trimmed(adapter.quote(name)) -%}
  {%- set value -%}
    {%- if column["is_name"] -%}nullif({{ text }}, '')
    {%- else -%}{{ without_null_words(text, var("null_words")) }}{%- endif -%}
  {%- endset -%}
  {%- if column["physical"] == "VARCHAR" -%}{{ value }}
  {%- elif column["physical"] == "MIXED" -%}
    case when {{ held_as(name) }} = 'text' then {{ value }}
    else {{ adapter.quote(name) }} end
  {%- else -%}{{ adapter.quote(name) }}{%- endif -%}
{%- endmacro -%}
