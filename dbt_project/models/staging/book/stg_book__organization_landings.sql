{# The same source as stg_book__organizations, of which that model keeps only those in the close's scope. #}
with

landings as (

    select
        organizations.organization_id,
        organizations.organization_name,
        organizations.batch_id,
        organizations.source_file,
        organizations.source_line,
        row_number() over (
            partition by organizations.organization_id
            order by organizations.batch_id
        ) as landing_position
    from {{ source('raw', 'organizations') }} as organizations

)

select
    landings.organization_id,
    landings.organization_name as first_organization_name,
    landings.batch_id as first_batch_id,
    landings.source_file as first_source_file,
    landings.source_line as first_source_line
from landings
where landings.landing_position = 1
