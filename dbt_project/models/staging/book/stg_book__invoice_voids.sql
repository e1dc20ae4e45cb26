with

invoice_voids as (

    {{ known_records('invoice_voids', ['invoice_void_id']) }}

)

select
    invoice_voids.organization_id,
    invoice_voids.invoice_void_id,
    invoice_voids.voided_at,
    invoice_voids.is_regenerated,
    invoice_voids.match_external_subscription_id,
    invoice_voids.match_external_customer_id,
    invoice_voids.match_issuing_date,
    invoice_voids.match_invoice_type,
    invoice_voids.match_nth,
    invoice_voids.position,
    invoice_voids.batch_id,
    invoice_voids.source_file,
    invoice_voids.source_line
from invoice_voids
