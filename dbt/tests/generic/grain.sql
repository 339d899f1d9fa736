{#- No two rows share a grain; a null is a value like any other. -#}
{% test grain_is_unique(model, columns) %}
select {{ columns | join(", ") }}, count(*) as times
from {{ model }}
group by {{ columns | join(", ") }}
having count(*) > 1
{% endtest %}
