with

applied as (

    select
        applied.*,
        coalesce(customers.payer_external_customer_id, applied.external_customer_id) as payer_external_customer_id
    from {{ ref('stg_book__applied_coupons') }} as applied
    left join {{ ref('int_customers_resolved') }} as customers
        on
            applied.organization_id = customers.organization_id
            and applied.external_customer_id = customers.external_customer_id
    inner join {{ ref('stg_events__close_scope') }} as close_scope
        on
            applied.organization_id = close_scope.organization_id
            and applied.created_at <= close_scope.as_of

),

coupons as (

    select
        coupons.*,
        coalesce(
            lead(coupons.effective_at) over (
                partition by coupons.organization_id, coupons.coupon_code
                order by coupons.effective_at
            ),
            {{ end_of_time() }}
        ) as valid_to_at
    from {{ ref('stg_book__coupons') }} as coupons

),

limits as (

    select
        coupon_targets.organization_id,
        coupon_targets.coupon_code,
        coupon_targets.effective_at,
        min(case when coupon_targets.target_type = 'billable_metric' then 1 else 2 end) as limit_rank
    from {{ ref('stg_book__coupon_targets') }} as coupon_targets
    group by coupon_targets.organization_id, coupon_targets.coupon_code, coupon_targets.effective_at

),

{# what is given when attaching replaces the coupon's own terms: docs/billing-rules.md, Coupons #}
terms as (

    select
        applied.organization_id,
        applied.applied_coupon_id,
        applied.external_customer_id,
        applied.payer_external_customer_id,
        applied.coupon_code,
        coupons.effective_at as coupon_effective_at,
        coupons.coupon_type,
        coalesce(applied.amount_cents, coupons.amount_cents) as amount_cents,
        coalesce(applied.amount_currency, coupons.amount_currency) as currency,
        cast(coalesce(applied.percentage_rate, coupons.percentage_rate) as decimal(21, 12)) as percentage_rate,
        coalesce(applied.frequency, coupons.frequency, 'once') as frequency,
        coalesce(applied.frequency_duration, coupons.frequency_duration, 1) as frequency_duration,
        applied.created_at,
        applied.terminated_at,
        applied.position as book_position,
        coupons.is_reusable,
        {# a coupon past its end cannot be attached; one attached before keeps working #}
        case when coupons.expiration = 'time_limit' then coupons.expiration_at end as coupon_ended_at,
        coupons.expiration = 'time_limit' and coupons.expiration_at <= applied.created_at as is_expired,
        coalesce(limits.limit_rank, 3) as limit_rank
    from applied
    inner join coupons
        on
            applied.organization_id = coupons.organization_id
            and applied.coupon_code = coupons.coupon_code
            and applied.created_at >= coupons.effective_at
            and applied.created_at < coupons.valid_to_at
    left join limits
        on
            coupons.organization_id = limits.organization_id
            and coupons.coupon_code = limits.coupon_code
            and coupons.effective_at = limits.effective_at

),

attached as (

    select
        terms.*,
        row_number() over (
            partition by terms.organization_id, terms.external_customer_id, terms.coupon_code
            order by terms.created_at, terms.book_position, {{ binary_order('terms.applied_coupon_id') }}
        ) as attachment
    from terms
    where not coalesce(terms.is_expired, false)

)

{# limited to metrics first, then limited to plans, then unlimited; inside each by attachment #}
select
    attached.organization_id,
    attached.applied_coupon_id,
    {{ surrogate_key(['attached.organization_id', "'coupon'", 'attached.applied_coupon_id']) }} as source_id,
    attached.payer_external_customer_id as external_customer_id,
    attached.external_customer_id as attached_external_customer_id,
    attached.coupon_code,
    attached.coupon_effective_at,
    attached.coupon_type,
    cast(attached.amount_cents as bigint) as amount_cents,
    attached.currency,
    attached.percentage_rate,
    attached.frequency,
    cast(attached.frequency_duration as integer) as frequency_duration,
    attached.created_at,
    attached.terminated_at,
    attached.book_position,
    attached.coupon_ended_at,
    {# the coupon of a child reduces the child's fees only #}
    attached.limit_rank < 3 or attached.external_customer_id <> attached.payer_external_customer_id as is_limited,
    row_number() over (
        partition by attached.organization_id, attached.payer_external_customer_id
        order by
            attached.limit_rank, attached.created_at, attached.book_position,
            {{ binary_order('attached.applied_coupon_id') }}
    ) as source_order
from attached
where attached.is_reusable or attached.attachment = 1
