{# Fails with the rows whose key of several columns has no row in the other model; a row with a null in its key refers to nothing. #}
{% test refers_to(model, columns, to) %}

with

missing as (

    select
        {%- for column in columns %}
        {{ column }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from {{ model }}
    where
        {%- for column in columns %}
        {% if not loop.first %}and {% endif %}{{ column }} is not null
        {%- endfor %}
    except
    select
        {%- for column in columns %}
        {{ column }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from {{ to }}

)

select *
from missing

{% endtest %}
