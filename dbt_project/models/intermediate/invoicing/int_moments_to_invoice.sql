{#
  Everything that can put fees on an invoice. What a subscription's period brings may wait for a grace period; what is
  invoiced at once (a one-off invoice, a wallet purchase) does not. The ranks are the order at one instant (docs/book.md,
  "Within a day").
#}
with

plan_versions as (

    select * from {{ ref('int_plan_versions') }}

)

select
    billing.moment_id,
    billing.moment_state,
    'subscription' as invoice_type,
    billing.reason,
    billing.organization_id,
    billing.external_customer_id,
    billing.external_subscription_id,
    billing.plan_code,
    billing.plan_effective_at,
    billing.base_plan_code,
    billing.subscription_name,
    billing.purchase_order_number,
    billing.billing_at,
    billing.finalizes_at,
    billing.billing_date,
    billing.invoice_group,
    true as has_grace,
    billing.instant_rank,
    plan_versions.amount_currency as currency,
    billing.close_id,
    billing.as_of,
    billing.known_batch_id
from {{ ref('int_billing_moments') }} as billing
left join plan_versions
    on
        billing.organization_id = plan_versions.organization_id
        and billing.plan_code = plan_versions.plan_code
        and billing.plan_effective_at = plan_versions.effective_at
where billing.is_invoiced

union all

select
    one_offs.moment_id,
    one_offs.moment_state,
    one_offs.invoice_type,
    one_offs.reason,
    one_offs.organization_id,
    one_offs.external_customer_id,
    cast(null as varchar) as external_subscription_id,
    cast(null as varchar) as plan_code,
    cast(null as timestamp) as plan_effective_at,
    cast(null as varchar) as base_plan_code,
    cast(null as varchar) as subscription_name,
    cast(null as varchar) as purchase_order_number,
    one_offs.billing_at,
    one_offs.billing_at as finalizes_at,
    one_offs.billing_date,
    {# by their place in the book first, so that the order of asking is kept among those of one instant #}
    lpad(cast(coalesce(one_offs.request_position, 0) as varchar), 12, '0') || ' ' || one_offs.request_id
        as invoice_group,
    false as has_grace,
    one_offs.instant_rank,
    one_offs.currency,
    one_offs.close_id,
    one_offs.as_of,
    one_offs.known_batch_id
from {{ ref('int_one_off_moments') }} as one_offs

union all

select
    advance.moment_id,
    advance.moment_state,
    'subscription' as invoice_type,
    'advance_charge' as reason,
    advance.organization_id,
    advance.external_customer_id,
    advance.external_subscription_id,
    advance.plan_code,
    advance.plan_effective_at,
    advance.base_plan_code,
    advance.subscription_name,
    advance.purchase_order_number,
    advance.billing_at,
    advance.billing_at as finalizes_at,
    advance.billing_date,
    advance.order_at_instant || ' ' || advance.moment_id as invoice_group,
    false as has_grace,
    5 as instant_rank,
    plan_versions.amount_currency as currency,
    advance.close_id,
    advance.as_of,
    advance.known_batch_id
from {{ ref('int_advance_moments') }} as advance
left join plan_versions
    on
        advance.organization_id = plan_versions.organization_id
        and advance.plan_code = plan_versions.plan_code
        and advance.plan_effective_at = plan_versions.effective_at

union all

{# fees paid in advance without an invoice, together at the billing of a period #}
select distinct
    regrouped.moment_id,
    'due' as moment_state,
    'advance_charges' as invoice_type,
    'advance_charges' as reason,
    regrouped.organization_id,
    regrouped.external_customer_id,
    regrouped.external_subscription_id,
    billing.plan_code,
    billing.plan_effective_at,
    billing.base_plan_code,
    billing.subscription_name,
    billing.purchase_order_number,
    regrouped.regrouped_at as billing_at,
    regrouped.regrouped_at as finalizes_at,
    regrouped.regrouped_on as billing_date,
    regrouped.invoice_group,
    false as has_grace,
    8 as instant_rank,
    regrouped.currency,
    regrouped.close_id,
    regrouped.as_of,
    regrouped.known_batch_id
from {{ ref('int_fees_regrouped') }} as regrouped
inner join {{ ref('int_billing_moments') }} as billing
    on regrouped.billing_moment_id = billing.moment_id

union all

select
    progressive.moment_id,
    progressive.moment_state,
    'progressive_billing' as invoice_type,
    'progressive_billing' as reason,
    progressive.organization_id,
    progressive.external_customer_id,
    progressive.external_subscription_id,
    progressive.plan_code,
    progressive.plan_effective_at,
    progressive.base_plan_code,
    progressive.subscription_name,
    progressive.purchase_order_number,
    progressive.billing_at,
    progressive.billing_at as finalizes_at,
    progressive.billing_date,
    'progressive_billing ' || progressive.external_subscription_id as invoice_group,
    false as has_grace,
    6 as instant_rank,
    plan_versions.amount_currency as currency,
    progressive.close_id,
    progressive.as_of,
    progressive.known_batch_id
from {{ ref('int_progressive_moments') }} as progressive
left join plan_versions
    on
        progressive.organization_id = plan_versions.organization_id
        and progressive.plan_code = plan_versions.plan_code
        and progressive.plan_effective_at = plan_versions.effective_at
