with

close_scope as (

    select * from {{ ref('stg_events__close_scope') }}

),

invoices as (

    select invoices.*
    from {{ ref('int_invoices_totalled') }} as invoices
    inner join close_scope
        on
            invoices.organization_id = close_scope.organization_id
            and invoices.close_id = close_scope.close_id
    left join {{ ref('gate_held_customers') }} as held
        on
            invoices.organization_id = held.organization_id
            and invoices.external_customer_id = held.external_customer_id
    where held.external_customer_id is null and {{ is_close_open('invoices.close_id') }}

),

customer_counts as (

    select
        numbered.organization_id,
        numbered.external_customer_id,
        coalesce(numbered.billing_entity_code, '') as billing_entity_code,
        max(numbered.customer_sequence) as last_sequence
    from {{ ledger_so_far() }} as numbered
    group by
        numbered.organization_id, numbered.external_customer_id, coalesce(numbered.billing_entity_code, '')

),

entity_counts as (

    select
        numbered.organization_id,
        coalesce(numbered.billing_entity_code, '') as billing_entity_code,
        max(numbered.organization_sequence) as last_sequence
    from {{ ledger_so_far() }} as numbered
    group by numbered.organization_id, coalesce(numbered.billing_entity_code, '')

),

{# each billing entity counts by itself; closed invoices get no number and leave no gap #}
numbered as (

    select
        invoices.invoice_id,
        row_number() over (
            partition by
                invoices.organization_id, invoices.external_customer_id, coalesce(invoices.billing_entity_code, '')
            order by
                invoices.finalizes_at, invoices.instant_rank, {{ binary_order('invoices.order_key') }},
                invoices.invoice_id
        ) + coalesce(customer_counts.last_sequence, 0) as customer_sequence,
        row_number() over (
            partition by invoices.organization_id, coalesce(invoices.billing_entity_code, '')
            order by
                invoices.finalizes_at, invoices.instant_rank, invoices.customer_number,
                {{ binary_order('invoices.order_key') }}, invoices.invoice_id
        ) + coalesce(entity_counts.last_sequence, 0) as organization_sequence
    from invoices
    left join customer_counts
        on
            invoices.organization_id = customer_counts.organization_id
            and invoices.external_customer_id = customer_counts.external_customer_id
            and coalesce(invoices.billing_entity_code, '') = customer_counts.billing_entity_code
    left join entity_counts
        on
            invoices.organization_id = entity_counts.organization_id
            and coalesce(invoices.billing_entity_code, '') = entity_counts.billing_entity_code
    where invoices.invoice_status = 'finalized'

),

timezone_offsets as (

    select * from {{ ref('stg_time__timezone_offsets') }}

)

select
    invoices.close_id,
    invoices.invoice_id,
    invoices.organization_id,
    invoices.external_customer_id,
    invoices.billing_entity_code,
    invoices.invoice_type,
    invoices.invoice_status,
    case
        when numbered.invoice_id is null then null
        when invoices.document_numbering = 'per_organization'
            then
                invoices.document_number_prefix || '-'
                || {{ year_month_text(to_local_date('invoices.finalizes_at', 'timezone_offsets.utc_offset_seconds')) }}
                || '-'
                || {{ padded_number('numbered.organization_sequence') }}
        else
            invoices.document_number_prefix || '-'
            || {{ padded_number('invoices.customer_number') }} || '-'
            || {{ padded_number('numbered.customer_sequence') }}
    end as invoice_number,
    cast(numbered.customer_sequence as bigint) as customer_sequence,
    cast(numbered.organization_sequence as bigint) as organization_sequence,
    invoices.finalizes_at as finalized_at,
    invoices.issuing_date,
    invoices.payment_due_date,
    invoices.net_payment_term,
    invoices.purchase_order_number,
    invoices.currency,
    invoices.currency_exponent,
    invoices.fees_amount_cents,
    invoices.progressive_billing_credit_amount_cents,
    invoices.coupons_amount_cents,
    invoices.sub_total_excluding_taxes_amount_cents,
    invoices.taxes_amount_cents,
    invoices.sub_total_including_taxes_amount_cents,
    invoices.credit_notes_amount_cents,
    invoices.prepaid_credit_amount_cents,
    invoices.total_amount_cents,
    invoices.billing_at,
    invoices.instant_rank,
    invoices.order_key
from invoices
left join numbered
    on invoices.invoice_id = numbered.invoice_id
left join timezone_offsets
    on
        invoices.seller_timezone = timezone_offsets.timezone
        and invoices.finalizes_at >= timezone_offsets.valid_from_at
        and invoices.finalizes_at < timezone_offsets.valid_to_at
