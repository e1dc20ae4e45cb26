{#
  Each open invoice of a period, or of a later crossing in it, with the newest progressive invoice before it: what that one
  charged is credited (semantics/invoice.md section 3.3).
#}
with

subscription_moments as (

    select
        scheduled.invoice_id,
        scheduled.moment_state,
        moments.moment_id,
        moments.organization_id,
        scheduled.external_customer_id,
        moments.external_subscription_id,
        moments.subscription_created_at,
        moments.usage_from_at,
        scheduled.billing_at,
        scheduled.instant_rank
    from {{ ref('int_invoices_scheduled') }} as scheduled
    inner join {{ ref('int_billing_moments') }} as moments
        on scheduled.moment_id = moments.moment_id
    where moments.usage_to_at > moments.usage_from_at

),

crossing_moments as (

    select
        scheduled.invoice_id,
        scheduled.moment_state,
        moments.moment_id,
        moments.organization_id,
        scheduled.external_customer_id,
        moments.external_subscription_id,
        moments.subscription_created_at,
        moments.usage_from_at,
        scheduled.billing_at,
        scheduled.instant_rank
    from {{ ref('int_invoices_scheduled') }} as scheduled
    inner join {{ ref('int_progressive_moments') }} as moments
        on scheduled.moment_id = moments.moment_id

),

crossed_before as (

    select
        ledger_moments.invoice_id,
        ledger_moments.moment_id,
        ledger_moments.organization_id,
        ledger_moments.external_subscription_id,
        ledger_moments.subscription_created_at,
        ledger_moments.usage_from_at,
        ledger_moments.billing_at
    from {{ ref('stg_ledger__moments') }} as ledger_moments
    where ledger_moments.reason = 'progressive_billing'

    union all

    select
        crossing_moments.invoice_id,
        crossing_moments.moment_id,
        crossing_moments.organization_id,
        crossing_moments.external_subscription_id,
        crossing_moments.subscription_created_at,
        crossing_moments.usage_from_at,
        crossing_moments.billing_at
    from crossing_moments

),

open_moments as (

    select * from subscription_moments

    union all

    select * from crossing_moments

),

linked as (

    select
        open_moments.invoice_id,
        open_moments.moment_id,
        open_moments.moment_state,
        open_moments.organization_id,
        open_moments.external_customer_id,
        open_moments.external_subscription_id,
        crossed_before.invoice_id as progressive_invoice_id,
        crossed_before.moment_id as progressive_moment_id,
        row_number() over (
            partition by open_moments.moment_id
            order by crossed_before.billing_at desc
        ) as newest_place
    from open_moments
    inner join crossed_before
        on
            open_moments.organization_id = crossed_before.organization_id
            and open_moments.external_subscription_id = crossed_before.external_subscription_id
            and open_moments.subscription_created_at = crossed_before.subscription_created_at
            and open_moments.usage_from_at = crossed_before.usage_from_at
            and (
                open_moments.billing_at > crossed_before.billing_at
                or (open_moments.billing_at = crossed_before.billing_at and open_moments.instant_rank > 6)
            )

)

select
    linked.invoice_id,
    linked.moment_id,
    linked.moment_state,
    linked.organization_id,
    linked.external_customer_id,
    linked.external_subscription_id,
    linked.progressive_invoice_id,
    linked.progressive_moment_id
from linked
where linked.newest_place = 1
