{#- Arithmetic that is exact, and the same on every warehouse. -#}

{#- A sum of money; nothing sums to 0. -#}
{%- macro total(x) -%}
  cast(coalesce(sum({{ x }}), 0) as {{ sql_type("money") }})
{%- endmacro -%}

{#- A sum of counts; nothing sums to 0. -#}
{%- macro units(x) -%}
  cast(coalesce(sum({{ x }}), 0) as {{ sql_type("int") }})
{%- endmacro -%}

{#- How many rows meet a condition. -#}
{%- macro count_where(condition) -%}
  cast(coalesce(sum(case when {{ condition }} then 1 else 0 end), 0) as {{ sql_type("int") }})
{%- endmacro -%}

{#- Null where the denominator is 0 or null. -#}
{%- macro ratio(numerator, denominator) -%}
  cast({{ numerator }} as {{ sql_type("float") }})
  / nullif(cast({{ denominator }} as {{ sql_type("float") }}), 0)
{%- endmacro -%}

{#- A mean of money, rounded half away from zero. It is made of whole cents, so that no
    float decides the last one. -#}
{%- macro money_mean(total, n) -%}
  {%- set cents = "cast(" ~ total ~ " * 100 as " ~ sql_type("int") ~ ")" -%}
  {%- set rounded = whole_quotient("2 * abs(" ~ cents ~ ") + " ~ n, "2 * " ~ n) -%}
  case when {{ n }} > 0 then {{ from_cents("sign(" ~ cents ~ ") * " ~ rounded) }} end
{%- endmacro -%}

{#- A mean of hours. Hours are whole microseconds, and these are summed: a sum of floats would
    depend on the order in which threads deliver them. -#}
{%- macro mean_hours(x) -%}
  cast(
    sum(cast(round({{ x }} * 3600000000) as {{ wide_int_type() }})) as {{ sql_type("float") }}
  ) / nullif(count({{ x }}), 0) / 3600000000
{%- endmacro -%}

{#- A mean of rates between 0 and 1, which are summed to the 18th digit: see `mean_hours`. -#}
{%- macro mean_rate(x) -%}
  {{ exact_sum(x) }} / nullif(cast(count({{ x }}) as {{ sql_type("float") }}), 0)
{%- endmacro -%}

{%- macro exact_sum(x) -%}
  {{- return(adapter.dispatch("exact_sum", "medallion")(x)) -}}
{%- endmacro -%}

{%- macro default__exact_sum(x) -%}
  cast(sum(cast({{ x }} as decimal(38, 18))) as double)
{%- endmacro -%}

{#- DuckDB makes a decimal of a float by shifting the float; BigQuery would take the float's exact
    digits. The float that is nearest to the sum is that of its text: a quotient of floats is not. -#}
{%- macro bigquery__exact_sum(x) -%}
  {%- set shifted = "sum(cast(round(" ~ x ~ " * 1e18) as bignumeric))" -%}
  {%- set one = "bignumeric '1000000000000000000'" -%}
  cast(concat(
    cast(cast(div({{ shifted }}, {{ one }}) as int64) as string),
    '.',
    lpad(cast(cast(mod({{ shifted }}, {{ one }}) as int64) as string), 18, '0')
  ) as float64)
{%- endmacro -%}

{%- macro whole_quotient(a, b) -%}
  {{- return(adapter.dispatch("whole_quotient", "medallion")(a, b)) -}}
{%- endmacro -%}

{%- macro default__whole_quotient(a, b) -%}(({{ a }}) // ({{ b }})){%- endmacro -%}

{%- macro bigquery__whole_quotient(a, b) -%}div({{ a }}, {{ b }}){%- endmacro -%}

{%- macro from_cents(cents) -%}
  {{- return(adapter.dispatch("from_cents", "medallion")(cents)) -}}
{%- endmacro -%}

{#- DuckDB divides decimals as floats, which hold fewer digits than money has. -#}
{%- macro default__from_cents(cents) -%}
  cast(
    cast({{ cents }} as decimal(20, 0)) * cast(0.01 as decimal(2, 2)) as {{ sql_type("money") }}
  )
{%- endmacro -%}

{%- macro bigquery__from_cents(cents) -%}
  cast({{ cents }} as numeric) / 100
{%- endmacro -%}
