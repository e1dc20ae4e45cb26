{#
  Limited coupons that may not be attached while an earlier one of the customer is active: both name the same plan or metric,
  or one names a plan and the other a metric that the plan charges (docs/billing-rules.md, Coupons). Whether the earlier
  one still is active, settlement shows.
#}
with

coupons as (

    select * from {{ ref('int_coupons_applied') }}

),

coupon_targets as (

    select * from {{ ref('stg_book__coupon_targets') }}

),

plan_metrics as (

    select distinct
        charges.organization_id,
        charges.plan_code,
        charges.billable_metric_code
    from {{ ref('stg_book__charges') }} as charges

),

targets as (

    select
        coupons.organization_id,
        coupons.attached_external_customer_id,
        coupons.source_id,
        coupons.source_order,
        coupons.created_at,
        coupons.terminated_at,
        coupons.book_position,
        coupon_targets.target_type,
        coupon_targets.target_code
    from coupons
    inner join coupon_targets
        on
            coupons.organization_id = coupon_targets.organization_id
            and coupons.coupon_code = coupon_targets.coupon_code
            and coupons.coupon_effective_at = coupon_targets.effective_at

),

pairs as (

    select
        later.organization_id,
        later.source_id,
        earlier.source_id as earlier_source_id,
        later.target_type,
        later.target_code,
        earlier.target_type as earlier_target_type,
        earlier.target_code as earlier_target_code
    from targets as later
    inner join targets as earlier
        on
            later.organization_id = earlier.organization_id
            and later.attached_external_customer_id = earlier.attached_external_customer_id
            and later.source_id <> earlier.source_id
            and (
                later.created_at > earlier.created_at
                or (later.created_at = earlier.created_at and later.book_position > earlier.book_position)
            )
            and later.created_at < coalesce(earlier.terminated_at, {{ end_of_time() }})

)

select distinct
    pairs.source_id,
    pairs.earlier_source_id
from pairs
left join plan_metrics
    on
        pairs.organization_id = plan_metrics.organization_id
        and case when pairs.target_type = 'plan' then pairs.target_code else pairs.earlier_target_code end
        = plan_metrics.plan_code
        and case when pairs.target_type = 'plan' then pairs.earlier_target_code else pairs.target_code end
        = plan_metrics.billable_metric_code
        and pairs.target_type <> pairs.earlier_target_type
where
    (pairs.target_type = pairs.earlier_target_type and pairs.target_code = pairs.earlier_target_code)
    or plan_metrics.plan_code is not null
