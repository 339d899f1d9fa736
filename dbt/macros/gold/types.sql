{#- Names of types where dbt has none of its own. -#}

{%- macro money_type() -%}
  {{- return(adapter.dispatch("money_type", "medallion")()) -}}
{%- endmacro -%}

{%- macro default__money_type() -%}decimal(18, 2){%- endmacro -%}

{%- macro bigquery__money_type() -%}numeric{%- endmacro -%}

{%- macro double_type() -%}
  {{- return(adapter.dispatch("double_type", "medallion")()) -}}
{%- endmacro -%}

{%- macro default__double_type() -%}double{%- endmacro -%}

{%- macro bigquery__double_type() -%}float64{%- endmacro -%}
