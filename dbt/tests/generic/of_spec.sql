{#- Tests that read keys, required columns, accepted values and parents from the spec. -#}

{% test key_is_unique(model) %}
{%- set table = spec_table(table_of(model)) or {"key": ["1"]} %}
select {{ table["key"] | join(", ") }}, count(*) as times
from {{ model }}
group by {{ table["key"] | join(", ") }}
having count(*) > 1
{% endtest %}

{% test required_is_present(model) %}
{%- set table = spec_table(table_of(model)) or {"columns": {}} %}
select *
from {{ model }}
where false
{%- for name, column in table["columns"].items() if column["required"] %}
  or {{ name }} is null
{%- endfor %}
{% endtest %}

{% test accepted_values_of_spec(model) %}
{%- set table = spec_table(table_of(model)) or {"columns": {}} %}
select *
from {{ model }}
where false
{%- for name, column in table["columns"].items() if column["accepted"] %}
  or {{ name }} not in ('{{ column["accepted"] | join("', '") }}')
{%- endfor %}
{% endtest %}

{% test parents_exist(model) %}
{%- set facts = spec() %}
{%- set table = facts["tables"].get(table_of(model)) or {"foreign_keys": []} %}
{%- for fk in table["foreign_keys"] %}
{%- set column = fk["columns"][0] %}
(
  select '{{ column }}' as column_name, cast({{ column }} as varchar) as orphan
  from {{ model }}
  where {{ column }} not in (select parent_key from ({{ parent_keys(fk, facts["tables"]) }}))
  {%- if fk["guests"] %}
    and not regexp_full_match({{ column }}, '{{ facts["cleaning"]["guest_pattern"] }}')
  {%- endif %}
)
union all
{%- endfor %}
select null, null where false
{% endtest %}
