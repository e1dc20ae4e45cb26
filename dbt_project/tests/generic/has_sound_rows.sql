{#
  Fails with what is unsound in a table: rows of one grain that occur more than once, columns that must have a value and
  have none, values that are none of those listed (null is no value and passes). Each is a row that names the problem and
  the grain. One test a table, not one a column: a test takes dbt longer than the engine (docs/performance.md). Where the
  grain names the close, only the newest close can have repeated a row: of those before it that was asked when they ended.
#}
{% test has_sound_rows(model, grain, required=[], values={}) %}

with

judged as (

    select
        {{ grain | join(', ') }},
        case
            {%- for column in required %}
            when {{ column }} is null then '{{ column }} is missing'
            {%- endfor %}
            {%- for column, listed in values.items() %}
            when {{ column }} not in (
                {%- for value in listed %}
                {%- if value is string %}'{{ value }}'{% else %}{{ value }}{% endif %}{% if not loop.last %}, {% endif %}
                {%- endfor -%}
            ) then '{{ column }} is no known value'
            {%- endfor %}
            when false then ''
        end as problem,
        cast(1 as bigint) as rows_count
    from {{ model }}

),

repeated as (

    select
        {{ grain | join(', ') }},
        'occurs more than once' as problem,
        count(*) as rows_count
    from {{ model }}
    {%- if 'close_id' in grain %}
    where close_id in (select max(newest.close_id) from {{ model }} as newest)
    {%- endif %}
    group by {{ grain | join(', ') }}
    having count(*) > 1

)

select *
from judged
where problem is not null
union all
select *
from repeated

{% endtest %}
