with

metered_charges as (

    select * from {{ ref('int_metered_charges') }}
    where is_pay_in_advance

),

{# an event whose value is blank makes no fee, except for a count: semantics/rating.md section 7 #}
sequenced as (

    select
        sequenced.*,
        sum(case when sequenced.is_in_period then sequenced.change else 0 end) over usage_order as period_total
    from {{ ref('int_usage_sequenced') }} as sequenced
    inner join metered_charges
        on
            sequenced.moment_id = metered_charges.moment_id
            and sequenced.charge_code = metered_charges.charge_code
    where sequenced.aggregation_type = 'count_agg' or coalesce(sequenced.value_text, '') <> ''
    window usage_order as (
        partition by
            sequenced.moment_id, sequenced.charge_code, sequenced.filter_position, sequenced.group_values
        order by sequenced.sequence_number
        rows between unbounded preceding and current row
    )

),

{# the highest level of the period so far, which has been paid for; it begins at zero #}
levelled as (

    select
        sequenced.*,
        greatest(max(sequenced.period_total) over (
            partition by
                sequenced.moment_id, sequenced.charge_code, sequenced.filter_position, sequenced.group_values
            order by sequenced.sequence_number
            rows between unbounded preceding and current row
        ), 0) as highest_total,
        greatest(max(sequenced.period_total) over (
            partition by
                sequenced.moment_id, sequenced.charge_code, sequenced.filter_position, sequenced.group_values
            order by sequenced.sequence_number
            rows between unbounded preceding and 1 preceding
        ), 0) as previous_highest_total
    from sequenced

)

select
    levelled.moment_id,
    levelled.charge_code,
    levelled.filter_position,
    levelled.group_values,
    levelled.organization_id,
    levelled.external_subscription_id,
    levelled.transaction_id,
    levelled.event_at,
    levelled.received_at,
    levelled.event_date,
    levelled.sequence_number,
    levelled.quantity,
    levelled.change,
    levelled.running_total,
    cast(levelled.period_total as decimal(38, 12)) as period_total,
    cast(levelled.highest_total as decimal(38, 12)) as highest_total,
    cast(levelled.highest_total - coalesce(levelled.previous_highest_total, 0) as decimal(38, 12)) as billed_units,
    {{ prorate_units(
        '((levelled.highest_total - coalesce(levelled.previous_highest_total, 0)) * ('
        ~ days_between('levelled.event_date', 'metered_charges.usage_to_date') ~ ' + 1))',
        'metered_charges.usage_full_days_count'
    ) }} as billed_prorated_units,
    levelled.precise_total_amount_cents
from levelled
inner join metered_charges
    on
        levelled.moment_id = metered_charges.moment_id
        and levelled.charge_code = metered_charges.charge_code
where levelled.is_in_period
