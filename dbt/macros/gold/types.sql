{#- What the engine calls a type of the spec, such as `money`: see src/medallion/spec/types.py. -#}
{%- macro sql_type(kind) -%}{{- var("types")[target.type][kind] -}}{%- endmacro -%}

{#- A type for whole numbers beyond what a count may be, such as sums of microseconds. -#}
{%- macro wide_int_type() -%}
  {{- return(adapter.dispatch("wide_int_type", "medallion")()) -}}
{%- endmacro -%}

{%- macro default__wide_int_type() -%}decimal(38, 0){%- endmacro -%}

{%- macro bigquery__wide_int_type() -%}bignumeric{%- endmacro -%}
