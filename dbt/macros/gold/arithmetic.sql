{#- Arithmetic that is exact, and the same on every warehouse. -#}

{#- A sum of money; nothing sums to 0. -#}
{%- macro total(x) -%}
  cast(coalesce(sum({{ x }}), 0) as {{ money_type() }})
{%- endmacro -%}

{#- A sum of counts; nothing sums to 0. -#}
{%- macro units(x) -%}
  cast(coalesce(sum({{ x }}), 0) as {{ dbt.type_bigint() }})
{%- endmacro -%}

{#- How many rows meet a condition. -#}
{%- macro count_where(condition) -%}
  cast(coalesce(sum(case when {{ condition }} then 1 else 0 end), 0) as {{ dbt.type_bigint() }})
{%- endmacro -%}

{#- Null where the denominator is 0 or null. -#}
{%- macro ratio(numerator, denominator) -%}
  cast({{ numerator }} as {{ double_type() }})
  / nullif(cast({{ denominator }} as {{ double_type() }}), 0)
{%- endmacro -%}

{#- A mean of money, rounded half away from zero. It is made of whole cents, so that no
    float decides the last one. -#}
{%- macro money_mean(total, n) -%}
  {%- set cents = "cast(cast(" ~ total ~ " as decimal(38, 2)) * 100 as bigint)" -%}
  case when {{ n }} > 0 then cast(
    cast(
      sign({{ cents }}) * {{ whole_quotient("2 * abs(" ~ cents ~ ") + " ~ n, "2 * " ~ n) }}
      as decimal(20, 0)
    ) / 100 as {{ money_type() }}
  ) end
{%- endmacro -%}

{#- A mean of hours. Hours are whole microseconds, and these are summed: a sum of floats would
    depend on the order in which threads deliver them. -#}
{%- macro mean_hours(x) -%}
  cast(sum(cast(round({{ x }} * 3600000000) as decimal(38, 0))) as {{ double_type() }})
  / nullif(count({{ x }}), 0) / 3600000000
{%- endmacro -%}

{%- macro whole_quotient(a, b) -%}
  {{- return(adapter.dispatch("whole_quotient", "medallion")(a, b)) -}}
{%- endmacro -%}

{%- macro default__whole_quotient(a, b) -%}(({{ a }}) // ({{ b }})){%- endmacro -%}

{%- macro bigquery__whole_quotient(a, b) -%}div({{ a }}, {{ b }}){%- endmacro -%}
