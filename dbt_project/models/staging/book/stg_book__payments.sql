with

payments as (

    {{ known_records('payments', ['payment_id']) }}

)

select
    payments.organization_id,
    payments.payment_id,
    payments.amount_cents,
    payments.created_at,
    payments.match_external_subscription_id,
    payments.match_external_customer_id,
    payments.match_issuing_date,
    payments.match_invoice_type,
    payments.match_nth,
    payments.fee_external_subscription_id,
    payments.fee_charge_code,
    payments.fee_transaction_id,
    payments.fee_date,
    payments.position,
    payments.batch_id,
    payments.source_file,
    payments.source_line
from payments
