{#
  Fails with the half-open ranges that begin before an earlier one of their partition has ended. A range without a
  beginning or an end, or without any length, covers nothing and overlaps nothing.
#}
{% test ranges_do_not_overlap(model, partition_by, from_column, to_column) %}

with

ranges as (

    select
        {{ partition_by | join(', ') }},
        {{ from_column }},
        {{ to_column }},
        max({{ to_column }}) over (
            partition by {{ partition_by | join(', ') }}
            order by {{ from_column }}, {{ to_column }}
            rows between unbounded preceding and 1 preceding
        ) as latest_previous_end
    from {{ model }}
    where {{ from_column }} < {{ to_column }}

)

select *
from ranges
where {{ from_column }} < latest_previous_end

{% endtest %}
