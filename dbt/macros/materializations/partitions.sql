{#- Writes a model as partitions of the lake's staging folder: the plugin copies its rows day
    by day, and afterwards the model's name reads those files. Nothing is kept in the database. -#}
{%- materialization partitions, adapter="duckdb" -%}

  {{- run_hooks(pre_hooks) -}}
  {%- do adapter.store_relation("lake", this, [], none, "partitions", config) -%}
  {%- call statement("main") -%} select 1 {%- endcall -%}
  {{- run_hooks(post_hooks) -}}
  {{- return({"relations": [this.incorporate(type="view")]}) -}}

{%- endmaterialization -%}
