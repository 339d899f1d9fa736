{#- Whether a customer id is a guest's, by the pattern of the spec. -#}
{%- macro is_guest(customer_id) -%}
  {{- return(adapter.dispatch("matches", "medallion")(customer_id, var("guest_pattern"))) -}}
{%- endmacro -%}

{%- macro default__matches(x, pattern) -%}
  coalesce(regexp_full_match({{ x }}, '{{ pattern | replace("'", "''") }}'), false)
{%- endmacro -%}

{%- macro bigquery__matches(x, pattern) -%}
  {%- set whole = ("^(?:" ~ pattern ~ ")$") | replace("\\", "\\\\") | replace("'", "\\'") -%}
  coalesce(regexp_contains({{ x }}, '{{ whole }}'), false)
{%- endmacro -%}
