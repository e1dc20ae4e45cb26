with

charge_windows as (

    select * from {{ ref('int_charge_windows') }}
    where is_pay_in_advance

),

{#
  An event whose value is blank makes no fee, except for a count (semantics/rating.md section 7). Events are charged in
  the order in which they became known, which is mostly the order in which they happened.
#}
charged as (

    select
        sequenced.*,
        row_number() over (
            partition by
                sequenced.moment_id, sequenced.charge_code, sequenced.filter_position, sequenced.group_values
            order by greatest(sequenced.event_at, sequenced.received_at), sequenced.sequence_number
        ) as charge_number
    from {{ ref('int_usage_sequenced') }} as sequenced
    inner join charge_windows
        on
            sequenced.moment_id = charge_windows.moment_id
            and sequenced.charge_code = charge_windows.charge_code
    where sequenced.aggregation_type = 'count_agg' or coalesce(sequenced.value_text, '') <> ''

),

{# an event that became known after later ones counts for itself only: their fees stay as they were made #}
out_of_order as (

    select
        late.moment_id,
        late.charge_code,
        late.filter_position,
        late.group_values,
        late.sequence_number,
        sum(earlier.change) as known_total
    from charged as late
    inner join (
        select distinct
            charged.moment_id,
            charged.charge_code,
            charged.filter_position,
            charged.group_values
        from charged
        inner join charged as later
            on
                charged.moment_id = later.moment_id
                and charged.charge_code = later.charge_code
                and charged.filter_position = later.filter_position
                and charged.group_values = later.group_values
                and charged.charge_number = later.charge_number - 1
                and charged.sequence_number > later.sequence_number
    ) as disordered
        on
            late.moment_id = disordered.moment_id
            and late.charge_code = disordered.charge_code
            and late.filter_position = disordered.filter_position
            and late.group_values = disordered.group_values
    inner join charged as earlier
        on
            late.moment_id = earlier.moment_id
            and late.charge_code = earlier.charge_code
            and late.filter_position = earlier.filter_position
            and late.group_values = earlier.group_values
            and late.sequence_number >= earlier.sequence_number
            and late.charge_number >= earlier.charge_number
    group by
        late.moment_id, late.charge_code, late.filter_position, late.group_values, late.sequence_number

),

totalled as (

    select
        charged.*,
        coalesce(out_of_order.known_total, charged.running_total) as known_total,
        sum(case when charged.is_in_period then charged.change else 0 end) over charge_order as period_total
    from charged
    left join out_of_order
        on
            charged.moment_id = out_of_order.moment_id
            and charged.charge_code = out_of_order.charge_code
            and charged.filter_position = out_of_order.filter_position
            and charged.group_values = out_of_order.group_values
            and charged.sequence_number = out_of_order.sequence_number
    window charge_order as (
        partition by charged.moment_id, charged.charge_code, charged.filter_position, charged.group_values
        order by charged.charge_number
        rows between unbounded preceding and current row
    )

),

{# the highest level of the period so far, which has been paid for; it begins at zero #}
levelled as (

    select
        totalled.*,
        greatest(max(totalled.period_total) over (
            partition by totalled.moment_id, totalled.charge_code, totalled.filter_position, totalled.group_values
            order by totalled.charge_number
            rows between unbounded preceding and current row
        ), 0) as highest_total,
        greatest(coalesce(max(totalled.period_total) over (
            partition by totalled.moment_id, totalled.charge_code, totalled.filter_position, totalled.group_values
            order by totalled.charge_number
            rows between unbounded preceding and 1 preceding
        ), 0), 0) as previous_highest_total
    from totalled

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
    cast(levelled.known_total as decimal(38, 12)) as running_total,
    cast(levelled.period_total as decimal(38, 12)) as period_total,
    cast(levelled.highest_total as decimal(38, 12)) as highest_total,
    cast(levelled.highest_total - levelled.previous_highest_total as decimal(38, 12)) as billed_units,
    {{ prorate_units(
        '((levelled.highest_total - levelled.previous_highest_total) * ('
        ~ days_between('levelled.event_date', 'charge_windows.usage_full_to_date') ~ ' + 1))',
        'charge_windows.usage_full_days_count'
    ) }} as billed_prorated_units,
    levelled.precise_total_amount_cents
from levelled
inner join charge_windows
    on
        levelled.moment_id = charge_windows.moment_id
        and levelled.charge_code = charge_windows.charge_code
where levelled.is_in_period
