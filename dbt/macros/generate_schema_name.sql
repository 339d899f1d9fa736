{#- Schemas are named as the project says, not prefixed by the target's. -#}
{%- macro generate_schema_name(custom_schema_name, node) -%}
  {{- (custom_schema_name or target.schema) | trim -}}
{%- endmacro -%}
