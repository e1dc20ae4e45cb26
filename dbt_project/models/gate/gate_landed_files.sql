{%- set outcomes = [
    ('landed', 'gate_events_counted', 'sum(found.events_count)'),
    ('duplicates', 'stg_events__duplicate_events', 'count(*)'),
    ('conflicts', 'stg_events__conflicting_events', 'count(*)'),
    ('rejected', 'stg_events__quarantined_events', 'count(*)'),
] -%}
with

landed_files as (

    select * from {{ ref('stg_events__landed_files') }}

),

found_rows as (

    {% for outcome, relation, rows_count in outcomes -%}
        select
            found.file_id,
            '{{ outcome }}' as outcome,
            cast({{ rows_count }} as bigint) as rows_count
        from {{ ref(relation) }} as found
        group by found.file_id
        {%- if not loop.last %}

            union all

        {% endif -%}
    {%- endfor %}

),

found_files as (

    select
        found_rows.file_id,
        {%- for outcome, relation, rows_count in outcomes %}
            cast(
                sum(case when found_rows.outcome = '{{ outcome }}' then found_rows.rows_count else 0 end) as bigint
            ) as {{ outcome }}_rows_count{% if not loop.last %},{% endif %}
        {%- endfor %}
    from found_rows
    group by found_rows.file_id

),

{# a file without rows has a mark only; rows without a mark belong to no file that was taken #}
compared as (

    select
        coalesce(landed_files.file_id, found_files.file_id) as file_id,
        coalesce(landed_files.file_path, 'no mark') as file_path,
        {%- for outcome, relation, rows_count in outcomes %}
            coalesce(landed_files.{{ outcome }}_count, 0) as {{ outcome }}_count,
            coalesce(found_files.{{ outcome }}_rows_count, 0) as {{ outcome }}_rows_count,
        {%- endfor %}
        coalesce(landed_files.lines_count, 0) as lines_count
    from landed_files
    full outer join found_files
        on landed_files.file_id = found_files.file_id

)

select
    compared.file_id,
    compared.file_path,
    compared.lines_count,
    {%- for outcome, relation, rows_count in outcomes %}
        compared.{{ outcome }}_count,
        compared.{{ outcome }}_rows_count,
    {%- endfor %}
    compared.lines_count
    = compared.landed_count
    + compared.duplicates_count
    + compared.conflicts_count
    + compared.rejected_count
    {%- for outcome, relation, rows_count in outcomes %}
        and compared.{{ outcome }}_count = compared.{{ outcome }}_rows_count
    {%- endfor %} as is_tied
from compared
