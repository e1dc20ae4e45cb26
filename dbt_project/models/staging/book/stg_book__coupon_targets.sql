with

coupon_targets as (

    {{ known_children('coupon_targets', 'coupons', ['coupon_code', 'effective_at']) }}

)

select
    coupon_targets.organization_id,
    coupon_targets.coupon_code,
    coupon_targets.effective_at,
    coupon_targets.target_type,
    coupon_targets.target_code,
    coupon_targets.batch_id
from coupon_targets
