with

closes as (

    select * from {{ ref('fct_close') }}

),

{# amounts of different currencies never meet in one row #}
invoice_sums as (

    select
        invoices.close_id,
        invoices.organization_id,
        invoices.currency,
        invoices.currency_exponent,
        count(*) as invoices_count,
        min(invoices.issuing_date) as first_issuing_date,
        max(invoices.issuing_date) as last_issuing_date,
        cast(sum(invoices.fees_amount_cents) as bigint) as fees_amount_cents,
        cast(sum(invoices.progressive_billing_credit_amount_cents) as bigint)
            as progressive_billing_credit_amount_cents,
        cast(sum(invoices.coupons_amount_cents) as bigint) as coupons_amount_cents,
        cast(sum(invoices.taxes_amount_cents) as bigint) as taxes_amount_cents,
        cast(sum(invoices.credit_notes_amount_cents) as bigint) as credit_notes_amount_cents,
        cast(sum(invoices.prepaid_credit_amount_cents) as bigint) as prepaid_credit_amount_cents,
        cast(sum(invoices.total_amount_cents) as bigint) as total_amount_cents
    from {{ ref('fct_invoice') }} as invoices
    where invoices.invoice_status <> 'closed'
    group by
        invoices.close_id,
        invoices.organization_id,
        invoices.currency,
        invoices.currency_exponent

)

select
    closes.close_id,
    closes.organization_id,
    invoice_sums.currency,
    invoice_sums.currency_exponent,
    closes.as_of,
    closes.known_batch_id,
    closes.is_newest,
    coalesce(invoice_sums.invoices_count, 0) as invoices_count,
    invoice_sums.first_issuing_date,
    invoice_sums.last_issuing_date,
    coalesce(invoice_sums.fees_amount_cents, 0) as fees_amount_cents,
    coalesce(
        invoice_sums.progressive_billing_credit_amount_cents, 0
    ) as progressive_billing_credit_amount_cents,
    coalesce(invoice_sums.coupons_amount_cents, 0) as coupons_amount_cents,
    coalesce(invoice_sums.taxes_amount_cents, 0) as taxes_amount_cents,
    coalesce(invoice_sums.credit_notes_amount_cents, 0) as credit_notes_amount_cents,
    coalesce(invoice_sums.prepaid_credit_amount_cents, 0) as prepaid_credit_amount_cents,
    coalesce(invoice_sums.total_amount_cents, 0) as total_amount_cents
from closes
left join invoice_sums
    on
        closes.close_id = invoice_sums.close_id
        and closes.organization_id = invoice_sums.organization_id
