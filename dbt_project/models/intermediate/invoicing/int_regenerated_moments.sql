{#
  What the void of an invoice bills anew: each moment of the voided invoice once more, on an invoice that is dated like that
  one and finalised with the void (docs/billing-rules.md, Voids). Its fees are copies (int_fees); taxes, coupons, notes and
  wallets come anew.
#}
with

voids as (

    select * from {{ ref('int_invoice_voids') }}
    where is_regenerated and refusal is null

),

currencies as (

    select * from {{ ref('currencies') }}

),

finalized_moments as (

    select * from {{ ref('stg_ledger__moments') }}

),

finalized_invoices as (

    select * from {{ ref('stg_ledger__invoices') }}

),

open_moments as (

    select * from {{ ref('int_moments_to_invoice') }}
    where moment_state = 'due'

),

dated as (

    select * from {{ ref('int_invoices_dated') }}
    where moment_state = 'due'

),

one_offs as (

    select * from {{ ref('int_one_off_moments') }}

),

billed as (

    select
        finalized_moments.moment_id,
        finalized_moments.invoice_id,
        finalized_moments.external_subscription_id,
        finalized_moments.plan_code,
        finalized_moments.plan_effective_at,
        finalized_moments.base_plan_code,
        finalized_moments.subscription_name,
        finalized_moments.purchase_order_number,
        finalized_invoices.billing_at,
        finalized_moments.billing_date,
        finalized_invoices.issuing_date,
        finalized_invoices.payment_due_date,
        finalized_invoices.net_payment_term,
        finalized_invoices.order_key,
        finalized_moments.request_id
    from finalized_moments
    inner join finalized_invoices
        on finalized_moments.invoice_id = finalized_invoices.invoice_id

    union all

    select
        open_moments.moment_id,
        dated.invoice_id,
        open_moments.external_subscription_id,
        open_moments.plan_code,
        open_moments.plan_effective_at,
        open_moments.base_plan_code,
        open_moments.subscription_name,
        open_moments.purchase_order_number,
        dated.billing_at,
        open_moments.billing_date,
        dated.issuing_date,
        dated.payment_due_date,
        dated.net_payment_term,
        {{ invoice_order_key('dated') }} as order_key,
        one_offs.request_id
    from open_moments
    inner join dated
        on open_moments.moment_id = dated.moment_id
    left join one_offs
        on open_moments.moment_id = one_offs.moment_id

)

select
    {{ surrogate_key(['voids.regenerated_invoice_id', 'billed.moment_id']) }} as moment_id,
    'due' as moment_state,
    voids.regenerated_invoice_id as invoice_id,
    voids.invoice_type,
    'regeneration' as reason,
    voids.organization_id,
    voids.external_customer_id,
    billed.external_subscription_id,
    billed.plan_code,
    billed.plan_effective_at,
    billed.base_plan_code,
    billed.subscription_name,
    billed.purchase_order_number,
    billed.billing_at,
    voids.voided_at as finalizes_at,
    billed.billing_date,
    min({{ binary_order('billed.order_key') }}) over (partition by voids.regenerated_invoice_id) as invoice_group,
    false as has_grace,
    voids.currency,
    voids.close_id,
    voids.as_of,
    voids.known_batch_id,
    9 as instant_rank,
    billed.issuing_date,
    billed.payment_due_date,
    billed.net_payment_term,
    cast(currencies.exponent as integer) as currency_exponent,
    billed.request_id,
    voids.invoice_void_id,
    voids.invoice_id as voided_invoice_id,
    billed.moment_id as voided_moment_id,
    voids.is_in_ledger
from voids
inner join billed
    on voids.invoice_id = billed.invoice_id
inner join currencies
    on voids.currency = currencies.currency_code
