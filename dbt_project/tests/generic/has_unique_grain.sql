{# Fails with the rows of a grain that occur more than once. #}
{% test has_unique_grain(model, columns) %}

select
    {{ columns | join(', ') }},
    count(*) as rows_count
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1

{% endtest %}
