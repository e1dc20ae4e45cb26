with

located as (

    select * from {{ ref('int_events_located') }}

),

readings as (

    select * from {{ ref('int_event_readings') }}

),

unreadable as (

    {# events that are read by a charge, of which no charge can use the value #}
    select
        readings.organization_id,
        readings.external_subscription_id,
        readings.transaction_id
    from readings
    group by readings.organization_id, readings.external_subscription_id, readings.transaction_id
    having count(readings.quantity) = 0

),

judged as (

    select
        located.organization_id,
        located.external_subscription_id,
        located.code,
        located.moment_id,
        case when unreadable.transaction_id is not null then 'unreadable_value' else located.fate end as fate
    from located
    left join unreadable
        on
            located.organization_id = unreadable.organization_id
            and located.external_subscription_id = unreadable.external_subscription_id
            and located.transaction_id = unreadable.transaction_id

)

select
    judged.organization_id,
    judged.external_subscription_id,
    judged.code,
    judged.moment_id,
    judged.fate,
    count(*) as events_count
from judged
group by
    judged.organization_id,
    judged.external_subscription_id,
    judged.code,
    judged.moment_id,
    judged.fate
