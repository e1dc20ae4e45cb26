with

coupons as (

    {{ known_records('coupons', ['coupon_code', 'effective_at']) }}

)

select
    coupons.organization_id,
    coupons.coupon_code,
    coupons.effective_at,
    coupons.coupon_name,
    coupons.coupon_type,
    coupons.amount_cents,
    coupons.amount_currency,
    coupons.percentage_rate,
    coupons.frequency,
    coupons.frequency_duration,
    coupons.expiration,
    coupons.expiration_at,
    coupons.is_reusable,
    coupons.batch_id,
    coupons.source_file,
    coupons.source_line
from coupons
