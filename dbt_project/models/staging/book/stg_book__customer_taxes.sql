with

customer_taxes as (

    {{ known_children('customer_taxes', 'customers', ['external_customer_id']) }}

)

select
    customer_taxes.organization_id,
    customer_taxes.external_customer_id,
    customer_taxes.position,
    customer_taxes.tax_code,
    customer_taxes.batch_id
from customer_taxes
