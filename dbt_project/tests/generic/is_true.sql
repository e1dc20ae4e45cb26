{# Fails with the rows of which an SQL condition does not hold (null counts as not). #}
{% test is_true(model, condition) %}

select *
from {{ model }}
where not coalesce(({{ condition }}), false)

{% endtest %}
