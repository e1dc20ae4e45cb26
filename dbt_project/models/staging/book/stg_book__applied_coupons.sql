with

applied_coupons as (

    {{ known_records('applied_coupons', ['applied_coupon_id']) }}

)

select
    applied_coupons.organization_id,
    applied_coupons.applied_coupon_id,
    applied_coupons.external_customer_id,
    applied_coupons.coupon_code,
    applied_coupons.created_at,
    applied_coupons.terminated_at,
    applied_coupons.amount_cents,
    applied_coupons.amount_currency,
    applied_coupons.percentage_rate,
    applied_coupons.frequency,
    applied_coupons.frequency_duration,
    applied_coupons.position,
    applied_coupons.batch_id,
    applied_coupons.source_file,
    applied_coupons.source_line
from applied_coupons
