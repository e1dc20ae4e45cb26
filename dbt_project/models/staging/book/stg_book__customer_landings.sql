{# The same source as stg_book__customers, of which that model keeps only the newest version. #}
with

landings as (

    select
        customers.organization_id,
        customers.external_customer_id,
        customers.batch_id,
        customers.source_file,
        customers.source_line,
        row_number() over (
            partition by customers.organization_id, customers.external_customer_id
            order by customers.batch_id
        ) as landing_position
    from {{ source('raw', 'customers') }} as customers

)

select
    landings.organization_id,
    landings.external_customer_id,
    landings.batch_id as first_batch_id,
    landings.source_file as first_source_file,
    landings.source_line as first_source_line
from landings
where landings.landing_position = 1
