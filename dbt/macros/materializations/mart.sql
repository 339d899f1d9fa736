{#- A mart in DuckDB: the listed days of it, or all of it. dbt works in a draft of the warehouse that
    nobody reads, so nothing is renamed; a draft that is not complete is thrown away. A day that
    came out empty is cleared. -#}
{%- materialization mart, adapter="duckdb" -%}

  {%- set days = planned().get("days") -%}
  {{- run_hooks(pre_hooks) -}}
  {%- call statement("main") -%}
    {%- if days is none -%}
      {{ get_assert_columns_equivalent(sql) }}
      create or replace table {{ this }} {{ get_table_columns_and_constraints() }};
    {%- else -%}
      delete from {{ this }} where ingestion_dt {{ among(days) }};
    {%- endif %}
    insert into {{ this }} {{ get_column_names() }} ({{ get_select_subquery(sql) }});
  {%- endcall -%}
  {{- run_hooks(post_hooks) -}}
  {%- do adapter.commit() -%}
  {{- return({"relations": [this.incorporate(type="table")]}) -}}

{%- endmaterialization -%}
