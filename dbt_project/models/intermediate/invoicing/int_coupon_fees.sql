with

coupons as (

    select * from {{ ref('int_coupons_applied') }}
    where is_limited

),

coupon_targets as (

    select * from {{ ref('stg_book__coupon_targets') }}

),

fees as (

    select * from {{ ref('int_fees') }}
    where moment_state = 'due'

),

scheduled as (

    select * from {{ ref('int_invoices_scheduled') }}

)

{# the fees that a limited coupon may reduce: by metric, by plan (an override child counts as its plan), or by child #}
select distinct
    coupons.source_id,
    fees.fee_id,
    scheduled.invoice_id
from coupons
inner join scheduled
    on
        coupons.organization_id = scheduled.organization_id
        and coupons.external_customer_id = scheduled.external_customer_id
inner join fees
    on
        scheduled.moment_id = fees.moment_id
        and (
            coupons.attached_external_customer_id = coupons.external_customer_id
            or coupons.attached_external_customer_id = fees.external_customer_id
        )
left join coupon_targets
    on
        coupons.organization_id = coupon_targets.organization_id
        and coupons.coupon_code = coupon_targets.coupon_code
        and coupons.coupon_effective_at = coupon_targets.effective_at
where
    coupon_targets.target_code is null
    or (
        coupon_targets.target_type = 'billable_metric'
        and coupon_targets.target_code = fees.billable_metric_code
    )
    or (
        coupon_targets.target_type = 'plan'
        and coupon_targets.target_code in (fees.plan_code, fees.base_plan_code)
    )
