{#
  Each open invoice of a period, or of a later crossing in it, with the newest progressive invoice before it: what that one
  charged is credited (docs/billing-rules.md, Thresholds). One that is voided by then is not; what a void made anew stands
  where the voided invoice stood.
#}
with

voids as (

    {{ invoice_voids_known() | indent(4) }}

),

origins as (

    select * from {{ ref('int_regenerated_origins') }}

),

{# the crossings of thresholds, of earlier closes and of this one #}
crossings as (

    select
        ledger_moments.moment_id,
        ledger_moments.invoice_id,
        ledger_moments.organization_id,
        ledger_moments.external_subscription_id,
        ledger_moments.subscription_created_at,
        ledger_moments.usage_from_at,
        ledger_moments.billing_at
    from {{ ref('stg_ledger__moments') }} as ledger_moments
    where ledger_moments.reason = 'progressive_billing'

    union all

    select
        moments.moment_id,
        scheduled.invoice_id,
        moments.organization_id,
        moments.external_subscription_id,
        moments.subscription_created_at,
        moments.usage_from_at,
        moments.billing_at
    from {{ ref('int_progressive_moments') }} as moments
    inner join {{ ref('int_invoices_scheduled') }} as scheduled
        on moments.moment_id = scheduled.moment_id

),

{# what was billed for them, and what was made anew of that, each as long as it stands #}
crossed as (

    select
        crossings.moment_id,
        crossings.invoice_id,
        crossings.organization_id,
        crossings.external_subscription_id,
        crossings.subscription_created_at,
        crossings.usage_from_at,
        crossings.billing_at,
        crossings.billing_at as made_at,
        crossings.moment_id as crossing_moment_id
    from crossings

    union all

    select
        origins.moment_id,
        origins.invoice_id,
        crossings.organization_id,
        crossings.external_subscription_id,
        crossings.subscription_created_at,
        crossings.usage_from_at,
        crossings.billing_at,
        voids.voided_at as made_at,
        crossings.moment_id as crossing_moment_id
    from crossings
    inner join origins
        on crossings.moment_id = origins.origin_moment_id
    inner join voids
        on origins.invoice_id = voids.regenerated_invoice_id

),

standing as (

    select
        crossed.*,
        voids.voided_at
    from crossed
    left join voids
        on crossed.invoice_id = voids.invoice_id

),

scheduled as (

    select
        scheduled.invoice_id,
        scheduled.moment_id,
        scheduled.moment_state,
        scheduled.external_customer_id,
        scheduled.billing_at,
        scheduled.finalizes_at,
        scheduled.instant_rank,
        coalesce(origins.origin_moment_id, scheduled.moment_id) as origin_moment_id
    from {{ ref('int_invoices_scheduled') }} as scheduled
    left join origins
        on scheduled.moment_id = origins.moment_id

),

open_moments as (

    select
        scheduled.*,
        moments.organization_id,
        moments.external_subscription_id,
        moments.subscription_created_at,
        moments.usage_from_at
    from scheduled
    inner join {{ ref('int_billing_moments') }} as moments
        on scheduled.origin_moment_id = moments.moment_id
    where moments.usage_to_at > moments.usage_from_at

    union all

    select
        scheduled.*,
        crossings.organization_id,
        crossings.external_subscription_id,
        crossings.subscription_created_at,
        crossings.usage_from_at
    from scheduled
    inner join crossings
        on scheduled.origin_moment_id = crossings.moment_id

),

linked as (

    select
        open_moments.invoice_id,
        open_moments.moment_id,
        open_moments.moment_state,
        open_moments.organization_id,
        open_moments.external_customer_id,
        open_moments.external_subscription_id,
        open_moments.finalizes_at,
        open_moments.instant_rank,
        standing.invoice_id as progressive_invoice_id,
        standing.moment_id as progressive_moment_id,
        row_number() over (
            partition by open_moments.moment_id
            order by standing.billing_at desc, standing.made_at desc
        ) as newest_place
    from open_moments
    inner join standing
        on
            open_moments.organization_id = standing.organization_id
            and open_moments.external_subscription_id = standing.external_subscription_id
            and open_moments.subscription_created_at = standing.subscription_created_at
            and open_moments.usage_from_at = standing.usage_from_at
            and open_moments.origin_moment_id <> standing.crossing_moment_id
            and (
                open_moments.billing_at > standing.billing_at
                or (open_moments.billing_at = standing.billing_at and open_moments.instant_rank > 6)
            )
            {# voids come last at an instant, and what they make anew after them #}
            and (
                open_moments.finalizes_at > standing.made_at
                or open_moments.instant_rank = 9
                or standing.moment_id = standing.crossing_moment_id
            )
            and (
                standing.voided_at is null
                or open_moments.finalizes_at < standing.voided_at
                or (open_moments.finalizes_at = standing.voided_at and open_moments.instant_rank < 9)
            )

)

select
    linked.invoice_id,
    linked.moment_id,
    linked.moment_state,
    linked.organization_id,
    linked.external_customer_id,
    linked.external_subscription_id,
    linked.finalizes_at,
    linked.instant_rank,
    linked.progressive_invoice_id,
    linked.progressive_moment_id
from linked
where linked.newest_place = 1
