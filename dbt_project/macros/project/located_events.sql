{#
  Where events lie and what became of them, as int_events_located describes it. `bounds` (recorded_bounds): of what batches
  up to that one landed, events before that instant are left out when nothing can change them any more; without bounds every
  known event has a row.
#}
{% macro located_events(bounds=none) -%}
{%- set from_at = bounds.from_at if bounds else none -%}
{%- set recorded_batch = bounds.batch if bounds else none -%}
{%- set measuring = "'sum_agg', 'max_agg', 'latest_agg', 'weighted_sum_agg'" -%}
{%- set columns = [
    'organization_id', 'external_subscription_id', 'transaction_id', 'code', 'event_at', 'received_at', 'properties',
    'precise_total_amount_cents', 'batch_id', 'file_id', 'line_number',
] -%}
{%- set extracted = ['layout_id', 'quantity', 'item', 'is_remove', 'facets'] -%}
with

versions as (

    select * from {{ ref('int_event_versions') }}

),

corrected_subscriptions as (

    select distinct
        versions.organization_id,
        versions.external_subscription_id
    from versions

),

{#
  Earlier closes recorded the events of the periods that they finalised (ledger_moment_fates): of what they knew, only
  what may still change is read, so that a close does not grow with its history.
#}
{% if from_at is none -%}
known_events as (

    select * from {{ ref('stg_events__usage_events') }}

),
{%- else -%}
kept_codes as (

    select
        unsettled.organization_id,
        unsettled.external_subscription_id,
        unsettled.code,
        {{ beginning_of_time() }} as kept_from_at,
        {{ end_of_time() }} + interval '1 day' as kept_to_at
    from {{ ref('stg_ledger__unsettled_usage') }} as unsettled
    where unsettled.is_newest and unsettled.code is not null

    union all

    {# what charges read of billed periods: recurring levels, restated periods #}
    select
        metered_charges.organization_id,
        metered_charges.external_subscription_id,
        metered_charges.event_code as code,
        metered_charges.history_from_at as kept_from_at,
        metered_charges.usage_to_at as kept_to_at
    from {{ ref('int_metered_charges') }} as metered_charges
    where metered_charges.history_from_at < timestamp '{{ from_at }}'

),

kept_spans as (

    select
        kept_codes.organization_id,
        kept_codes.external_subscription_id,
        kept_codes.code,
        min(kept_codes.kept_from_at) as kept_from_at,
        max(kept_codes.kept_to_at) as kept_to_at
    from kept_codes
    group by kept_codes.organization_id, kept_codes.external_subscription_id, kept_codes.code

),

known_events as (

    select usage_events.*
    from {{ ref('stg_events__usage_events') }} as usage_events
    where usage_events.event_at >= timestamp '{{ from_at }}'

    union all

    select usage_events.*
    from {{ ref('stg_events__usage_events') }} as usage_events
    where usage_events.event_at < timestamp '{{ from_at }}' and usage_events.batch_id > {{ recorded_batch }}

    union all

    select usage_events.*
    from {{ ref('stg_events__usage_events') }} as usage_events
    inner join kept_spans
        on
            usage_events.organization_id = kept_spans.organization_id
            and usage_events.external_subscription_id = kept_spans.external_subscription_id
            and usage_events.code = kept_spans.code
            and usage_events.event_at >= kept_spans.kept_from_at
            and usage_events.event_at < kept_spans.kept_to_at
    where usage_events.event_at < timestamp '{{ from_at }}' and usage_events.batch_id <= {{ recorded_batch }}

),
{%- endif %}

usage_events as (
    {% if has_corrections() %}

        {# only subscriptions with corrections pay for them #}
        select
            {% for column in columns + extracted %}
                usage_events.{{ column }},
            {% endfor %}
            coalesce(usage_events.received_at, usage_events.event_at) as known_at,
            false as is_corrected,
            false as is_cancelled
        from known_events as usage_events
        left join corrected_subscriptions
            on
                usage_events.organization_id = corrected_subscriptions.organization_id
                and usage_events.external_subscription_id = corrected_subscriptions.external_subscription_id
        where corrected_subscriptions.organization_id is null

        union all

        select
            {% for column in columns + extracted %}
                usage_events.{{ column }},
            {% endfor %}
            coalesce(usage_events.received_at, usage_events.event_at) as known_at,
            false as is_corrected,
            false as is_cancelled
        from known_events as usage_events
        inner join corrected_subscriptions
            on
                usage_events.organization_id = corrected_subscriptions.organization_id
                and usage_events.external_subscription_id = corrected_subscriptions.external_subscription_id
        left join versions
            on
                usage_events.organization_id = versions.organization_id
                and usage_events.external_subscription_id = versions.external_subscription_id
                and usage_events.transaction_id = versions.transaction_id
                and versions.is_billed_version
        where versions.organization_id is null

        union all

        select
            {% for column in columns %}
                versions.{{ column }},
            {% endfor %}
            null as layout_id,
            null as quantity,
            null as item,
            null as is_remove,
            null as facets,
            versions.known_at,
            true as is_corrected,
            versions.is_cancelled
        from versions
        where versions.is_billed_version
    {% else %}

        select
            usage_events.*,
            coalesce(usage_events.received_at, usage_events.event_at) as known_at,
            false as is_corrected,
            false as is_cancelled
        from known_events as usage_events
    {% endif %}

),

close_scope as (

    select * from {{ ref('stg_events__close_scope') }}

),

{# up to which batch the newest close recorded the events of finalised periods #}
recorded_batches as (

    select
        unsettled.organization_id,
        unsettled.known_batch_id
    from {{ ref('stg_ledger__unsettled_usage') }} as unsettled
    where unsettled.is_newest and unsettled.code is null

),

restated as (

    select distinct restated_moments.period_moment_id
    from {{ ref('int_restated_moments') }} as restated_moments

),

numbered_moments as (

    {{ numbered_moments() }}

),

moments as (

    select
        moments.*,
        max(moments.usage_to_at) over (
            partition by moments.organization_id, moments.external_subscription_id
            order by moments.usage_from_at
            rows between unbounded preceding and 1 preceding
        ) as previous_to_at,
        max(moments.usage_to_at) over (
            partition by moments.organization_id, moments.external_subscription_id
        ) as last_to_at,
        restated.period_moment_id is not null as is_restated
    from numbered_moments as moments
    left join restated
        on moments.moment_id = restated.period_moment_id

),

subscription_spans as (

    select
        subscriptions.organization_id,
        subscriptions.external_subscription_id,
        min(subscriptions.started_at) as first_started_at
    from {{ ref('int_subscriptions_started') }} as subscriptions
    group by subscriptions.organization_id, subscriptions.external_subscription_id

),

{#
  All of time of every subscription, cut into the usage of its billing moments and what lies before, between and after:
  with it, one join on small keys says where an event lies and what its times mean there.
#}
places as (

    select
        moments.organization_id,
        moments.external_subscription_id,
        moments.usage_from_at as from_at,
        moments.usage_to_at as to_at,
        moments.moment_id,
        moments.moment_number,
        moments.moment_state,
        moments.is_restated,
        {{ level_end('moments.usage_to_at') }} as level_ends_at,
        case when moments.moment_state = 'finalized' then moments.known_batch_id end as recorded_batch_id,
        case
            when moments.moment_state = 'due' then greatest(moments.finalizes_at, moments.usage_to_at)
        end as late_from_at,
        cast(null as timestamp) as first_started_at
    from moments

    union all

    {% for from_at, to_at, condition in [
        (
            'coalesce(moments.previous_to_at, ' ~ beginning_of_time() ~ ')', 'moments.usage_from_at',
            'moments.previous_to_at is null or moments.previous_to_at < moments.usage_from_at'
        ),
        ('moments.last_to_at', end_of_time() ~ " + interval '1 day'", 'moments.usage_to_at = moments.last_to_at'),
    ] -%}
        select
            moments.organization_id,
            moments.external_subscription_id,
            {{ from_at }} as from_at,
            {{ to_at }} as to_at,
            null as moment_id,
            null as moment_number,
            'none' as moment_state,
            false as is_restated,
            null as level_ends_at,
            null as recorded_batch_id,
            null as late_from_at,
            subscription_spans.first_started_at
        from moments
        inner join subscription_spans
            on
                moments.organization_id = subscription_spans.organization_id
                and moments.external_subscription_id = subscription_spans.external_subscription_id
        where {{ condition }}

        union all

    {% endfor -%}
    select
        subscription_spans.organization_id,
        subscription_spans.external_subscription_id,
        {{ beginning_of_time() }} as from_at,
        {{ end_of_time() }} + interval '1 day' as to_at,
        null as moment_id,
        null as moment_number,
        'none' as moment_state,
        false as is_restated,
        null as level_ends_at,
        null as recorded_batch_id,
        null as late_from_at,
        subscription_spans.first_started_at
    from subscription_spans
    left join moments
        on
            subscription_spans.organization_id = moments.organization_id
            and subscription_spans.external_subscription_id = moments.external_subscription_id
    where moments.organization_id is null

),

facet_keys as (

    select
        facet_keys.organization_id,
        facet_keys.event_code,
        array_agg({{ json_path('facet_keys.facet_key') }} order by facet_keys.facet_position) as facet_paths,
        '[' || string_agg(
            {{ json_string('facet_keys.facet_key') }}, ',' order by facet_keys.facet_position
        ) || ']' as facet_keys
    from {{ ref('int_facet_keys') }} as facet_keys
    group by facet_keys.organization_id, facet_keys.event_code

),

read_codes as (

    {#
      One row per moment and event code, however many charges read the code, with what they read of an event: one
      property at most, or none in particular when they differ.
    #}
    select
        metered_charges.moment_id,
        metered_charges.organization_id,
        metered_charges.event_code,
        case
            when min(metered_charges.field_name) = max(metered_charges.field_name) then min(metered_charges.field_name)
        end as measured_field,
        min(
            case when metered_charges.aggregation_type in ({{ measuring }}) then 1 else 0 end
        ) = 1 as is_measured,
        max(case when metered_charges.aggregation_type = 'unique_count_agg' then 1 else 0 end) = 1 as is_unique_counted,
        max(case when metered_charges.aggregation_type = 'latest_agg' then 1 else 0 end) = 1 as is_latest_read,
        max(case when metered_charges.aggregation_type = 'weighted_sum_agg' then 1 else 0 end) = 1 as is_weighted
    from {{ ref('int_metered_charges') }} as metered_charges
    group by metered_charges.moment_id, metered_charges.organization_id, metered_charges.event_code

),

{# the layout by which landing took out just that; events of another one are read from their properties #}
fitting_layouts as (

    select
        read_codes.moment_id,
        read_codes.event_code,
        max(layouts.layout_id) as layout_id
    from read_codes
    left join facet_keys
        on
            read_codes.organization_id = facet_keys.organization_id
            and read_codes.event_code = facet_keys.event_code
    inner join {{ ref('stg_events__event_layouts') }} as layouts
        on
            read_codes.organization_id = layouts.organization_id
            and read_codes.event_code = layouts.event_code
            and coalesce(read_codes.measured_field, layouts.measured_field, '') = coalesce(layouts.measured_field, '')
            and coalesce(facet_keys.facet_keys, '[]') = layouts.facet_keys
            and (layouts.is_counted or not read_codes.is_unique_counted)
    group by read_codes.moment_id, read_codes.event_code

),

metered_codes as (

    select
        moments.moment_number,
        read_codes.event_code,
        read_codes.is_measured,
        read_codes.is_unique_counted,
        read_codes.is_latest_read,
        read_codes.is_weighted,
        fitting_layouts.layout_id,
        {{ json_path('read_codes.measured_field') }} as measured_path
    from read_codes
    inner join moments
        on read_codes.moment_id = moments.moment_id
    left join fitting_layouts
        on
            read_codes.moment_id = fitting_layouts.moment_id
            and read_codes.event_code = fitting_layouts.event_code

),

{#
  Codes of recurring metrics: whether some row of the subscription bills them, so that their history counts in its level,
  and which span of it the charges of open moments count.
#}
carried_codes as (

    select
        metered_charges.organization_id,
        metered_charges.external_subscription_id,
        metered_charges.event_code,
        metered_charges.history_from_at,
        metered_charges.usage_to_at,
        0 as is_levelled
    from {{ ref('int_metered_charges') }} as metered_charges
    where metered_charges.is_recurring

    union all

    select distinct
        moments.organization_id,
        moments.external_subscription_id,
        metric_versions.event_code,
        cast(null as timestamp) as history_from_at,
        cast(null as timestamp) as usage_to_at,
        1 as is_levelled
    from {{ ref('int_billing_moments') }} as moments
    inner join {{ ref('stg_book__charges') }} as charges
        on
            moments.organization_id = charges.organization_id
            and moments.plan_code = charges.plan_code
            and moments.plan_effective_at = charges.effective_at
    inner join {{ ref('int_metric_versions') }} as metric_versions
        on
            charges.organization_id = metric_versions.organization_id
            and charges.billable_metric_code = metric_versions.billable_metric_code
            and metric_versions.is_recurring
            and metric_versions.aggregation_type in ('sum_agg', 'unique_count_agg')

),

recurring_codes as (

    select
        carried_codes.organization_id,
        carried_codes.external_subscription_id,
        carried_codes.event_code,
        min(carried_codes.history_from_at) as history_from_at,
        max(carried_codes.usage_to_at) as usage_to_at,
        max(carried_codes.is_levelled) = 1 as is_levelled
    from carried_codes
    group by
        carried_codes.organization_id,
        carried_codes.external_subscription_id,
        carried_codes.event_code

),

metric_codes as (

    {# one row per event code, however many metrics read it #}
    select
        metric_versions.organization_id,
        metric_versions.event_code,
        min(facet_keys.facet_paths) as facet_paths
    from {{ ref('int_metric_versions') }} as metric_versions
    left join facet_keys
        on
            metric_versions.organization_id = facet_keys.organization_id
            and metric_versions.event_code = facet_keys.event_code
    group by metric_versions.organization_id, metric_versions.event_code

),

placed as (

    select
        usage_events.organization_id,
        usage_events.external_subscription_id,
        usage_events.transaction_id,
        usage_events.code,
        usage_events.event_at,
        coalesce(usage_events.received_at, usage_events.event_at) as received_at,
        usage_events.properties,
        usage_events.precise_total_amount_cents,
        usage_events.quantity,
        usage_events.item,
        usage_events.is_remove,
        usage_events.facets,
        coalesce(usage_events.layout_id = metered_codes.layout_id, false) as is_extracted,
        metric_codes.facet_paths,
        metered_codes.measured_path,
        coalesce(metered_codes.is_measured, false) as is_measured,
        coalesce(metered_codes.is_unique_counted, false) as is_unique_counted,
        coalesce(metered_codes.is_latest_read, false) as is_latest_read,
        case when metered_codes.is_weighted then places.level_ends_at end as level_ends_at,
        coalesce(
            usage_events.event_at >= recurring_codes.history_from_at
            and usage_events.event_at < recurring_codes.usage_to_at, false
        ) as is_carried,
        usage_events.batch_id,
        usage_events.file_id,
        usage_events.line_number,
        usage_events.is_corrected,
        usage_events.is_cancelled,
        coalesce(
            usage_events.batch_id <= greatest(places.recorded_batch_id, recorded_batches.known_batch_id)
            and places.recorded_batch_id is not null, false
        ) as is_recorded,
        places.moment_id,
        places.moment_number,
        coalesce(places.is_restated, false) as is_restated,
        {#
          What is in a finalised period and was known then keeps the fate that its close recorded
          (ledger_moment_fates). Late is what became known at or after its billing moment, or was landed after it.
        #}
        case
            when usage_events.batch_id <= places.recorded_batch_id then 'finalized'
            when usage_events.is_cancelled then 'cancelled'
            when metric_codes.event_code is null then 'no_metric'
            when places.moment_state is null then 'no_subscription'
            when usage_events.event_at < places.first_started_at and coalesce(recurring_codes.is_levelled, false)
                then 'carried'
            when usage_events.event_at < places.first_started_at then 'before_subscription'
            when
                places.moment_state in ('none', 'running', 'draft')
                and greatest(usage_events.event_at, usage_events.known_at) > close_scope.as_of
                then 'pending'
            when places.moment_state = 'none' then 'outside_billed_periods'
            when places.moment_state = 'finalized' then 'late'
            when metered_codes.event_code is null then 'no_charge'
            when usage_events.known_at >= places.late_from_at then 'late'
            else places.moment_state
        end as fate
    from usage_events
    inner join close_scope
        on
            usage_events.organization_id = close_scope.organization_id
            and usage_events.batch_id <= close_scope.known_batch_id
    left join recorded_batches
        on usage_events.organization_id = recorded_batches.organization_id
    left join places
        on
            usage_events.organization_id = places.organization_id
            and usage_events.external_subscription_id = places.external_subscription_id
            and usage_events.event_at >= places.from_at
            and usage_events.event_at < places.to_at
    left join metered_codes
        on
            places.moment_number = metered_codes.moment_number
            and usage_events.code = metered_codes.event_code
    left join metric_codes
        on
            usage_events.organization_id = metric_codes.organization_id
            and usage_events.code = metric_codes.event_code
    left join recurring_codes
        on
            usage_events.organization_id = recurring_codes.organization_id
            and usage_events.external_subscription_id = recurring_codes.external_subscription_id
            and usage_events.code = recurring_codes.event_code

),

{# what no open moment counts needs no properties #}
read_now as (

    select
        placed.*,
        not placed.is_cancelled
        and (
            placed.fate in ('due', 'draft', 'running')
            or (placed.is_carried and placed.fate <> 'pending')
            or (placed.is_restated and placed.fate in ('finalized', 'late'))
        ) as is_read
    from placed

),

valued as (

    select
        read_now.*,
        case
            when read_now.is_read and not read_now.is_extracted and read_now.measured_path is not null
                then {{ json_at('read_now.properties', 'read_now.measured_path') }}
        end as value_text
    from read_now

)

select
    valued.organization_id,
    valued.external_subscription_id,
    valued.transaction_id,
    valued.code,
    valued.event_at,
    valued.received_at,
    case when valued.is_read then valued.properties end as properties,
    case
        when valued.is_extracted then valued.facets
        when valued.is_read and valued.facet_paths is not null
            then {{ json_pick('valued.properties', 'valued.facet_paths') }}
    end as facets,
    case when valued.is_read then valued.precise_total_amount_cents end as precise_total_amount_cents,
    valued.batch_id,
    valued.file_id,
    valued.line_number,
    valued.moment_id,
    valued.moment_number,
    valued.level_ends_at,
    valued.is_latest_read,
    valued.is_corrected,
    valued.is_cancelled,
    valued.is_recorded,
    valued.is_read,
    valued.is_measured,
    case
        when valued.is_extracted then valued.quantity
        else {{ parse_quantity('valued.value_text') }}
    end as quantity,
    case
        when not valued.is_unique_counted then null
        when valued.is_extracted then valued.item
        when valued.is_read then {{ counted_item('valued.value_text') }}
    end as item,
    case
        when not valued.is_unique_counted then false
        when valued.is_extracted then valued.is_remove
        when valued.is_read
            then coalesce({{ json_text('valued.properties', "'operation_type'") }} = 'remove', false)
        else false
    end as is_remove,
    valued.fate
from valued
{%- endmacro %}
