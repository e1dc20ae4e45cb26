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

{# the fees that a limited coupon may reduce: by metric, or by plan (an override child counts as its plan) #}
select distinct
    coupons.source_id,
    fees.fee_id,
    scheduled.invoice_id
from coupons
inner join coupon_targets
    on
        coupons.organization_id = coupon_targets.organization_id
        and coupons.coupon_code = coupon_targets.coupon_code
        and coupons.coupon_effective_at = coupon_targets.effective_at
inner join fees
    on
        coupons.organization_id = fees.organization_id
        and coupons.external_customer_id = fees.external_customer_id
        and (
            (
                coupon_targets.target_type = 'billable_metric'
                and coupon_targets.target_code = fees.billable_metric_code
            )
            or (
                coupon_targets.target_type = 'plan'
                and coupon_targets.target_code in (fees.plan_code, fees.base_plan_code)
            )
        )
inner join scheduled
    on fees.moment_id = scheduled.moment_id
