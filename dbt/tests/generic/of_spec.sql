{#- Tests that read keys, required columns, accepted values and parents from the spec. -#}

{% test key_is_unique(model) %}
{%- set key = staged_table(model)["key"] | join(", ") %}
select {{ key }}, count(*) as times
from {{ model }}
group by {{ key }}
having count(*) > 1
{% endtest %}

{% test required_is_present(model) %}
select *
from {{ model }}
where false
{%- for name, column in staged_table(model)["columns"].items() if column["required"] %}
  or {{ name }} is null
{%- endfor %}
{% endtest %}

{% test accepted_values_of_spec(model) %}
select *
from {{ model }}
where false
{%- for name, column in staged_table(model)["columns"].items() if column["accepted"] %}
  or {{ name }} not in ('{{ column["accepted"] | join("', '") }}')
{%- endfor %}
{% endtest %}

{% test parents_exist(model, parents, history={}) %}
{%- for fk in staged_table(model)["foreign_keys"] %}
{%- set column = fk["columns"][0] %}
(
  select '{{ column }}' as column_name, cast({{ column }} as varchar) as orphan
  from {{ model }}
  where {{ column }} not in (select parent_key from ({{ parent_keys(fk, parents, history) }}))
  {%- if fk["guests"] %}
    and not regexp_full_match({{ column }}, '{{ var("guest_pattern") }}')
  {%- endif %}
)
union all
{%- endfor %}
select null, null where false
{% endtest %}
