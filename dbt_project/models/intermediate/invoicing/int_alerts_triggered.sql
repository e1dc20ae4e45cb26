{#
  Thresholds that an alert's value has reached and that no earlier close told of in the same period: usage at or above
  them, a wallet at or below them. One that recurs counts on from the largest of the others, and its highest multiple
  is told.
#}
with

alert_values as (

    select * from {{ ref('int_alert_values') }}

),

thresholds as (

    select
        thresholds.*,
        coalesce(
            max(case when not thresholds.is_recurring then thresholds.threshold_value end) over (
                partition by thresholds.organization_id, thresholds.alert_code
            ),
            0
        ) as largest_value
    from {{ ref('stg_book__alert_thresholds') }} as thresholds

),

reached as (

    select
        alert_values.*,
        thresholds.threshold_code,
        thresholds.is_recurring,
        thresholds.threshold_value as step_value,
        thresholds.largest_value,
        cast(
            case
                when thresholds.is_recurring then {{ divide_floor(
                    'cast((alert_values.current_value - thresholds.largest_value) * 1000000000000 as '
                    ~ wide_integer() ~ ')',
                    'cast(thresholds.threshold_value * 1000000000000 as ' ~ wide_integer() ~ ')',
                ) }}
                else 0
            end as bigint
        ) as recurring_level
    from alert_values
    inner join thresholds
        on
            alert_values.organization_id = thresholds.organization_id
            and alert_values.alert_code = thresholds.alert_code
    where
        case
            when thresholds.is_recurring
                then alert_values.current_value >= thresholds.largest_value + thresholds.threshold_value
            when alert_values.is_falling then alert_values.current_value <= thresholds.threshold_value
            else alert_values.current_value >= thresholds.threshold_value
        end

),

told as (

    select
        recorded.organization_id,
        recorded.alert_code,
        recorded.alert_period,
        max(recorded.recurring_level) as recurring_level
    from {{ ref('stg_ledger__triggered_alerts') }} as recorded
    where recorded.is_recurring
    group by recorded.organization_id, recorded.alert_code, recorded.alert_period

),

identified as (

    select
        reached.*,
        cast(
            reached.step_value + case
                when reached.is_recurring
                    then reached.largest_value + (reached.recurring_level - 1) * reached.step_value
                else 0
            end as decimal(38, 12)
        ) as threshold_value,
        {{ surrogate_key([
            'reached.organization_id', 'reached.alert_code', 'reached.alert_period', 'reached.is_recurring',
            'reached.step_value', 'reached.recurring_level',
        ]) }} as triggered_alert_id
    from reached

)

select
    identified.triggered_alert_id,
    identified.close_id,
    identified.organization_id,
    identified.external_customer_id,
    identified.alert_code,
    identified.alert_name,
    identified.alert_type,
    identified.external_subscription_id,
    identified.wallet_code,
    identified.billable_metric_code,
    identified.alert_period,
    identified.threshold_code,
    identified.threshold_value,
    identified.is_recurring,
    identified.recurring_level,
    identified.current_value,
    identified.as_of as triggered_at
from identified
left join {{ ref('stg_ledger__triggered_alerts') }} as recorded
    on identified.triggered_alert_id = recorded.triggered_alert_id
left join told
    on
        identified.is_recurring
        and identified.organization_id = told.organization_id
        and identified.alert_code = told.alert_code
        and identified.alert_period = told.alert_period
where
    recorded.triggered_alert_id is null
    and (told.recurring_level is null or identified.recurring_level > told.recurring_level)
