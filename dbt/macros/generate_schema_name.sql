{#- Schemas are named as the project says, not prefixed by the target's. On BigQuery they are datasets,
    whose names begin as the environment says: see also models/gold/_sources.yml. -#}
{%- macro generate_schema_name(custom_schema_name, node) -%}
  {%- set begins = env_var("MEDALLION_BIGQUERY_DATASETS", "") if target.type == "bigquery" else "" -%}
  {{- (begins ~ (custom_schema_name or target.schema)) | trim -}}
{%- endmacro -%}
