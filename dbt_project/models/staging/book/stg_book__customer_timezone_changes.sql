with

customer_timezone_changes as (

    {{ known_children('customer_timezone_changes', 'customers', ['external_customer_id']) }}

)

select
    customer_timezone_changes.organization_id,
    customer_timezone_changes.external_customer_id,
    customer_timezone_changes.effective_at,
    customer_timezone_changes.timezone,
    customer_timezone_changes.batch_id
from customer_timezone_changes
