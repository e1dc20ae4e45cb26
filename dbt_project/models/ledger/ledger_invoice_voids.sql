with

voids as (

    select voids.*
    from {{ ref('int_invoice_voids') }} as voids
    left join {{ ref('gate_held_customers') }} as held
        on
            voids.organization_id = held.organization_id
            and voids.external_customer_id = held.external_customer_id
    where voids.refusal is null and held.external_customer_id is null and {{ is_close_open('voids.close_id') }}

)

select
    voids.close_id,
    voids.invoice_void_id,
    voids.invoice_id,
    voids.organization_id,
    voids.external_customer_id,
    voids.voided_at,
    voids.regenerated_invoice_id
from voids
