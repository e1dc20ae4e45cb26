with

customers as (

    select * from {{ ref('int_customers_resolved') }}

),

changes as (

    select * from {{ ref('stg_book__customer_timezone_changes') }}

),

{# the zone before any change, and each change #}
zones as (

    select distinct
        customers.timezone_history,
        customers.timezone,
        {{ beginning_of_time() }} as valid_from_at
    from customers

    union

    select
        customers.timezone_history,
        changes.timezone,
        changes.effective_at as valid_from_at
    from changes
    inner join customers
        on
            changes.organization_id = customers.organization_id
            and changes.external_customer_id = customers.payer_external_customer_id

)

select
    zones.timezone_history,
    zones.timezone,
    zones.valid_from_at,
    coalesce(
        lead(zones.valid_from_at) over (partition by zones.timezone_history order by zones.valid_from_at),
        {{ end_of_time() }}
    ) as valid_to_at
from zones
