{#
  The billing moments with usage, each with a whole number in place of its id: events are joined and grouped by it. The
  number holds within one close only.
#}
{% macro numbered_moments() -%}
    select
        moments.*,
        row_number() over (order by moments.moment_id) as moment_number
    from {{ ref('int_billing_moments') }} as moments
    where moments.usage_from_at < moments.usage_to_at
{%- endmacro %}
