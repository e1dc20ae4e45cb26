with

events as (

    select * from {{ ref('int_events_located') }}
    where fate in ('due', 'running')

),

metered_charges as (

    select * from {{ ref('int_metered_charges') }}

),

readings as (

    select
        events.organization_id,
        events.external_subscription_id,
        events.transaction_id,
        events.moment_id,
        metered_charges.charge_code,
        metered_charges.aggregation_type,
        case
            when metered_charges.aggregation_type = 'sum_agg'
                then {{ json_text('events.properties', 'metered_charges.field_name') }}
        end as value_text
    from events
    inner join metered_charges
        on
            events.moment_id = metered_charges.moment_id
            and events.code = metered_charges.event_code

),

valued as (

    select
        readings.organization_id,
        readings.external_subscription_id,
        readings.transaction_id,
        readings.moment_id,
        readings.charge_code,
        case
            when readings.aggregation_type = 'count_agg' then cast(1 as decimal(27, 12))
            else {{ parse_quantity('readings.value_text') }}
        end as quantity
    from readings

)

select * from valued
