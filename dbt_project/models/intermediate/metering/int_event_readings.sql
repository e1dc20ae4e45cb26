{%- set another_time = "charge_windows.moment_state in ('restated', 'noted', 'window', 'charging')" -%}
{#-
  What counts in the levels of later periods is what is known when they are billed, also a correction that was too late for
  the period of the event (docs/billing-rules.md, Usage).
-#}
{%- set level
    = "charge_windows.is_recurring and charge_windows.aggregation_type in ('sum_agg', 'unique_count_agg')" -%}
with

charge_windows as (

    select * from {{ ref('int_charge_windows') }}
    where not coalesce(is_totalled, false)

),

{# where nothing is read one by one, the events are not looked at #}
period_readers as (

    select distinct charge_windows.period_moment_id
    from charge_windows
    where not charge_windows.is_recurring

),

history_readers as (

    select distinct charge_windows.external_subscription_id
    from charge_windows
    where charge_windows.is_recurring

),

{#
  A level by time stays as it was known in time: what was too late for the period in which it lies, as one that charged it,
  is no part of later levels, but of what they are restated to (int_late_usage).
#}
late_codes as (

    select
        billed_codes.moment_id,
        billed_codes.event_code
    from {{ ref('int_billed_codes') }} as billed_codes
    where billed_codes.external_subscription_id in (
        select charge_windows.external_subscription_id from charge_windows
        where charge_windows.is_recurring and not ({{ level }})
    )

),

restated as (

    select
        restated_moments.moment_id,
        restated_moments.is_last_invoice,
        {# with what the period's own invoice knew, before which nothing is late #}
        restated_moments.is_last_invoice
        or coalesce(restated_moments.next_moment_id = restated_moments.period_moment_id, false) as is_own_invoice
    from {{ ref('int_restated_moments') }} as restated_moments

),

facet_buckets as (

    select * from {{ ref('int_facet_buckets') }}

),

{#
  A charge reads the events of its own period (or of the period so far); one on a recurring metric also those of its history, as far as they were
  known when the moment is finalised (docs/billing-rules.md, Usage).
#}
readings as (

    {% for key, readers, columns, condition in [
        (
            'moment_id',
            "select period_moment_id from period_readers",
            'events.moment_id = charge_windows.period_moment_id and events.code = charge_windows.event_code',
            "not charge_windows.is_recurring and (events.fate in " ~ open_states()
            ~ " or (charge_windows.moment_state = 'restated' and events.fate in ('finalized', 'late'))"
            ~ " or (charge_windows.moment_state = 'noted' and events.fate = 'finalized'))"
            ~ " and not coalesce(events.is_corrected and " ~ another_time ~ ", false)"
            ~ ' and coalesce(events.batch_id <= charge_windows.usage_known_batch_id, true)'
            ~ ' and events.event_at < charge_windows.events_to_at and events.received_at < charge_windows.known_to_at'
        ),
        (
            'external_subscription_id',
            "select external_subscription_id from history_readers",
            'events.organization_id = charge_windows.organization_id'
            ~ ' and events.external_subscription_id = charge_windows.external_subscription_id'
            ~ ' and events.code = charge_windows.event_code',
            'charge_windows.is_recurring and events.event_at >= charge_windows.history_from_at'
            ~ ' and events.event_at < charge_windows.events_to_at'
            ~ ' and events.received_at < charge_windows.known_to_at'
            ~ " and (charge_windows.aggregation_type in ('sum_agg', 'unique_count_agg')"
            ~ " or events.fate <> 'late' or late_codes.moment_id is null"
            ~ " or (charge_windows.moment_state = 'restated' and not restated.is_own_invoice))"
            ~ " and not coalesce(events.is_corrected and (" ~ another_time ~ " or (" ~ level ~ ")), false)"
            ~ ' and coalesce(events.batch_id <= charge_windows.usage_known_batch_id, true)'
        ),
    ] -%}
        select
            events.organization_id,
            events.external_subscription_id,
            events.transaction_id,
            events.event_at,
            events.received_at,
            events.facets,
            events.precise_total_amount_cents,
            events.properties,
            charge_windows.moment_id,
            charge_windows.metered_charge_id,
            charge_windows.charge_code,
            charge_windows.aggregation_type,
            charge_windows.moment_state in ('restated', 'noted') as is_restated,
            charge_windows.is_pay_in_advance,
            events.event_at >= charge_windows.usage_from_at as is_in_period,
            case
                when charge_windows.field_name is not null
                    then {{ json_text('events.properties', 'charge_windows.field_name') }}
            end as value_text
        from {{ ref('int_events_located') }} as events
        inner join charge_windows
            on {{ columns }}
        {% if key == 'external_subscription_id' %}
            left join late_codes
                on
                    events.moment_id = late_codes.moment_id
                    and events.code = late_codes.event_code
            left join restated
                on charge_windows.moment_id = restated.moment_id
        {% endif %}
        where
            events.is_read
            and events.{{ key }} in ({{ readers }})
            and {{ condition }}

        union all
    {% endfor %}
    {# of a corrected event a period at another time, and a level, reads the version that was known #}
    select
        events.organization_id,
        events.external_subscription_id,
        events.transaction_id,
        events.event_at,
        events.received_at,
        events.facets,
        events.precise_total_amount_cents,
        events.properties,
        charge_windows.moment_id,
        charge_windows.metered_charge_id,
        charge_windows.charge_code,
        charge_windows.aggregation_type,
        {{ another_time }} as is_restated,
        charge_windows.is_pay_in_advance,
        events.event_at >= charge_windows.usage_from_at as is_in_period,
        case
            when charge_windows.field_name is not null
                then {{ json_text('events.properties', 'charge_windows.field_name') }}
        end as value_text
    from {{ ref('int_late_versions') }} as events
    inner join charge_windows
        on
            events.organization_id = charge_windows.organization_id
            and events.external_subscription_id = charge_windows.external_subscription_id
            and events.code = charge_windows.event_code
            and events.event_at >= charge_windows.history_from_at
            and events.event_at < charge_windows.events_to_at
            and events.known_at < charge_windows.known_to_at
            and coalesce(events.batch_id <= charge_windows.usage_known_batch_id, true)
    left join restated
        on charge_windows.moment_id = restated.moment_id
    where
        ({{ another_time }} or ({{ level }}))
        {# a correction that was too late for the last invoice is decided with the next #}
        and case
            when restated.is_last_invoice and not ({{ level }}) then events.is_billed_version
            else
                events.superseded_at is null
                or events.superseded_at >= charge_windows.known_to_at
                or coalesce(events.superseded_batch_id > charge_windows.usage_known_batch_id, false)
        end

),

{# in advance an item needs a name #}
judged as (

    select
        readings.*,
        coalesce(
            readings.is_pay_in_advance
            and readings.aggregation_type = 'unique_count_agg'
            and not coalesce({{ matches_pattern('readings.value_text', '[^ \\t\\n\\v\\f\\r]') }}, false), false
        ) as is_blank_in_advance
    from readings

),

{# a count takes any event, a unique count any text #}
valued as (

    select
        judged.organization_id,
        judged.external_subscription_id,
        judged.transaction_id,
        judged.moment_id,
        judged.charge_code,
        coalesce(facet_buckets.filter_position, 0) as filter_position,
        coalesce(facet_buckets.bucket_number, 1) as bucket_number,
        coalesce(facet_buckets.group_values, '') as group_values,
        judged.event_at,
        judged.received_at,
        judged.is_in_period,
        judged.is_restated,
        case
            when judged.is_blank_in_advance then null
            when judged.aggregation_type in ('count_agg', 'unique_count_agg', 'custom_agg')
                then cast(1 as decimal(27, 12))
            else {{ parse_quantity('judged.value_text') }}
        end as quantity,
        case
            when judged.aggregation_type = 'unique_count_agg' and not judged.is_blank_in_advance
                then {{ counted_item('judged.value_text') }}
        end as item,
        coalesce(
            judged.aggregation_type = 'unique_count_agg'
            and {{ json_text('judged.properties', "'operation_type'") }} = 'remove', false
        ) as is_remove,
        judged.value_text,
        case when judged.aggregation_type = 'custom_agg' then judged.properties end as properties,
        judged.precise_total_amount_cents
    from judged
    left join facet_buckets
        on
            judged.metered_charge_id = facet_buckets.metered_charge_id
            and judged.facets = facet_buckets.facets

)

select * from valued
