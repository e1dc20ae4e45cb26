{#
  Where events lie and what became of them, as int_events_located describes it. `bounds` (recorded_bounds): of what batches
  up to that one landed, events before that instant are left out when nothing can change them any more; without bounds every
  known event has a row.
#}
{% macro located_events(bounds=none) -%}
{%- set from_at = bounds.from_at if bounds else none -%}
{%- set recorded_batch = bounds.batch if bounds else none -%}
{%- set measuring = "'sum_agg', 'max_agg', 'latest_agg', 'weighted_sum_agg'" -%}
{%- set value_text = json_at('read_now.read_text', 'read_now.measured_path') -%}
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
known_events as not materialized (

    select * from {{ ref('stg_events__usage_events') }}

),
{%- else -%}
kept_codes as (

    {{ kept_codes(from_at, ref('stg_ledger__unsettled_usage'), ref('int_metered_charges')) | indent(4) }}

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

known_events as not materialized (

    select usage_events.*
    from {{ ref('stg_events__usage_events') }} as usage_events
    where usage_events.event_at >= timestamp '{{ from_at }}'

    union all

    select usage_events.*
    from {{ ref('stg_events__usage_events') }} as usage_events
    where usage_events.event_at < timestamp '{{ from_at }}' and usage_events.batch_id > {{ recorded_batch }}
    {% if bounds.kept_from_at %}
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
        where
            usage_events.event_at >= timestamp '{{ bounds.kept_from_at }}'
            and usage_events.event_at < timestamp '{{ from_at }}'
            and usage_events.batch_id <= {{ recorded_batch }}
    {% endif %}

),
{%- endif %}

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

subscription_spans as (

    select
        subscriptions.organization_id,
        subscriptions.external_subscription_id,
        min(subscriptions.started_at) as first_started_at
    from {{ ref('int_subscriptions_started') }} as subscriptions
    group by subscriptions.organization_id, subscriptions.external_subscription_id

),

{# the usage of every billing moment and, as an empty span, the end of time; each with the end of what lies before it #}
spans as (

    select
        spans.*,
        coalesce(
            max(spans.to_at) over (
                partition by spans.organization_id, spans.external_subscription_id
                order by spans.from_at
                rows between unbounded preceding and 1 preceding
            ), {{ beginning_of_time() }}
        ) as previous_to_at
    from (
        select
            moments.organization_id,
            moments.external_subscription_id,
            moments.usage_from_at as from_at,
            moments.usage_to_at as to_at,
            moments.moment_number
        from numbered_moments as moments

        union all

        select
            subscription_spans.organization_id,
            subscription_spans.external_subscription_id,
            {{ end_of_time() }} + interval '1 day' as from_at,
            {{ end_of_time() }} + interval '1 day' as to_at,
            null as moment_number
        from subscription_spans
    ) as spans

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
        restated.period_moment_id is not null as is_restated,
        case when moments.moment_state = 'finalized' then moments.known_batch_id end as finalized_batch_id,
        case
            when moments.moment_state = 'finalized'
                then greatest(moments.known_batch_id, recorded_batches.known_batch_id)
        end as recorded_batch_id,
        case
            when moments.moment_state = 'due' then greatest(moments.finalizes_at, moments.usage_to_at)
            when moments.moment_state <> 'finalized' then close_scope.as_of + interval '1 microsecond'
        end as taken_to_at,
        cast(null as timestamp) as first_started_at
    from numbered_moments as moments
    inner join close_scope
        on moments.organization_id = close_scope.organization_id
    left join recorded_batches
        on moments.organization_id = recorded_batches.organization_id
    left join restated
        on moments.moment_id = restated.period_moment_id

    union all

    select
        spans.organization_id,
        spans.external_subscription_id,
        spans.previous_to_at as from_at,
        spans.from_at as to_at,
        null as moment_id,
        null as moment_number,
        'none' as moment_state,
        false as is_restated,
        null as finalized_batch_id,
        null as recorded_batch_id,
        close_scope.as_of + interval '1 microsecond' as taken_to_at,
        subscription_spans.first_started_at
    from spans
    inner join close_scope
        on spans.organization_id = close_scope.organization_id
    inner join subscription_spans
        on
            spans.organization_id = subscription_spans.organization_id
            and spans.external_subscription_id = subscription_spans.external_subscription_id
    where spans.previous_to_at < spans.from_at

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
        case when read_codes.is_weighted then {{ level_end('moments.usage_to_at') }} end as level_ends_at,
        fitting_layouts.layout_id,
        {{ json_path('read_codes.measured_field') }} as measured_path
    from read_codes
    inner join numbered_moments as moments
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

{#
  Layouts of which not all was taken out that is read now: of their events, and of those without a layout, the text is
  read. The others' texts, the greatest part of what is stored, are not even touched.
#}
reread_layouts as (

    select layouts.layout_id
    from {{ ref('stg_events__event_layouts') }} as layouts
    inner join {{ ref('int_metered_charges') }} as metered_charges
        on
            layouts.organization_id = metered_charges.organization_id
            and layouts.event_code = metered_charges.event_code
    left join fitting_layouts
        on
            metered_charges.moment_id = fitting_layouts.moment_id
            and metered_charges.event_code = fitting_layouts.event_code
    where
        coalesce(fitting_layouts.layout_id <> layouts.layout_id, true)
        or metered_charges.moment_state in ('restated', 'noted')

    union distinct

    select layouts.layout_id
    from {{ ref('stg_events__event_layouts') }} as layouts
    inner join recurring_codes
        on
            layouts.organization_id = recurring_codes.organization_id
            and layouts.event_code = recurring_codes.event_code

),

usage_events as (

    {# only subscriptions with corrections pay for them #}
    {%- set corrected = has_corrections() %}
    {% for text, layouts, condition in [
        ('cast(null as varchar)', 'left', 'reread_layouts.layout_id is null and usage_events.layout_id is not null'),
        ('usage_events.properties', 'inner', 'true'),
        ('usage_events.properties', none, 'usage_events.layout_id is null'),
    ] -%}
        select
            {% for column in columns + extracted %}
                usage_events.{{ column }},
            {% endfor %}
            {{ text }} as read_text,
            coalesce(usage_events.received_at, usage_events.event_at) as known_at,
            false as is_corrected,
            false as is_cancelled
        from known_events as usage_events
        {% if layouts %}
            {{ layouts }} join reread_layouts
                on usage_events.layout_id = reread_layouts.layout_id
        {% endif %}
        {% if corrected %}
            left join corrected_subscriptions
                on
                    usage_events.organization_id = corrected_subscriptions.organization_id
                    and usage_events.external_subscription_id = corrected_subscriptions.external_subscription_id
        {% endif %}
        where {{ condition }}{% if corrected %} and corrected_subscriptions.organization_id is null{% endif %}

        {% if not loop.last or corrected %}union all{% endif %}
    {% endfor %}
    {% if corrected %}

        select
            {% for column in columns + extracted %}
                usage_events.{{ column }},
            {% endfor %}
            usage_events.properties as read_text,
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
            versions.properties as read_text,
            versions.known_at,
            true as is_corrected,
            versions.is_cancelled
        from versions
        where versions.is_billed_version
    {% endif %}

),

{#
  Each event at its place. Nearly all events are billed as they come: what decides that is numbers and flags, and every
  case below asks it first, so that the engine hands such events through without looking at the rest.
#}
placed as (

    select
        usage_events.*,
        places.moment_id,
        places.moment_number,
        places.moment_state,
        places.first_started_at,
        places.is_restated,
        places.finalized_batch_id,
        places.recorded_batch_id,
        {# what becomes known later is late for a due period; for another one it is pending #}
        greatest(usage_events.event_at, usage_events.known_at) >= places.taken_to_at as is_after,
        metered_codes.event_code is not null as is_metered,
        metered_codes.measured_path,
        metered_codes.is_measured,
        metered_codes.is_unique_counted,
        metered_codes.is_latest_read,
        metered_codes.level_ends_at,
        usage_events.layout_id = metered_codes.layout_id as is_extracted
    from usage_events
    inner join close_scope
        on
            usage_events.organization_id = close_scope.organization_id
            and usage_events.batch_id <= close_scope.known_batch_id
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

),

known_codes as (

    select
        placed.*,
        placed.is_metered and not (placed.is_after or placed.is_cancelled) as is_billed,
        metric_codes.event_code as metric_code,
        metric_codes.facet_paths,
        coalesce(recurring_codes.is_levelled, false) as is_levelled,
        coalesce(
            placed.event_at >= recurring_codes.history_from_at and placed.event_at < recurring_codes.usage_to_at, false
        ) as is_carried
    from placed
    {# of an event that is extracted nothing is asked of its metric #}
    left join metric_codes
        on
            placed.organization_id = metric_codes.organization_id
            and case when placed.is_extracted then null else placed.code end = metric_codes.event_code
    left join recurring_codes
        on
            placed.organization_id = recurring_codes.organization_id
            and placed.external_subscription_id = recurring_codes.external_subscription_id
            and placed.code = recurring_codes.event_code

),

fated as (

    select
        known_codes.*,
        {#
          What is in a finalised period and was known then keeps the fate that its close recorded
          (ledger_moment_fates). Late is what became known at or after its billing moment, or was landed after it.
        #}
        case
            when known_codes.is_billed then known_codes.moment_state
            when known_codes.batch_id <= known_codes.finalized_batch_id then 'finalized'
            when known_codes.is_cancelled then 'cancelled'
            when known_codes.metric_code is null and not known_codes.is_metered then 'no_metric'
            when known_codes.moment_state is null then 'no_subscription'
            when known_codes.event_at < known_codes.first_started_at and known_codes.is_levelled then 'carried'
            when known_codes.event_at < known_codes.first_started_at then 'before_subscription'
            when known_codes.is_after and known_codes.moment_state in ('none', 'running', 'draft') then 'pending'
            when known_codes.moment_state = 'none' then 'outside_billed_periods'
            when known_codes.moment_state = 'finalized' then 'late'
            when not known_codes.is_metered then 'no_charge'
            else 'late'
        end as fate
    from known_codes

),

{# what no open moment counts needs no properties #}
read_now as (

    select
        fated.*,
        case
            when fated.is_billed then true
            when fated.is_cancelled then false
            else
                (fated.is_carried and fated.fate <> 'pending')
                or (coalesce(fated.is_restated, false) and fated.fate in ('finalized', 'late'))
        end as is_read
    from fated

)

select
    read_now.organization_id,
    read_now.external_subscription_id,
    read_now.transaction_id,
    read_now.code,
    read_now.event_at,
    coalesce(read_now.received_at, read_now.event_at) as received_at,
    case when read_now.is_read then read_now.properties end as properties,
    case
        when read_now.is_extracted then read_now.facets
        when read_now.is_read and read_now.facet_paths is not null
            then {{ json_pick('read_now.read_text', 'read_now.facet_paths') }}
    end as facets,
    case when read_now.is_read then read_now.precise_total_amount_cents end as precise_total_amount_cents,
    read_now.batch_id,
    read_now.file_id,
    read_now.line_number,
    read_now.moment_id,
    read_now.moment_number,
    read_now.level_ends_at,
    coalesce(read_now.is_latest_read, false) as is_latest_read,
    read_now.is_corrected,
    read_now.is_cancelled,
    case
        when read_now.is_billed then false
        else coalesce(read_now.batch_id <= read_now.recorded_batch_id, false)
    end as is_recorded,
    read_now.is_read,
    coalesce(read_now.is_measured, false) as is_measured,
    case
        when read_now.is_extracted then read_now.quantity
        when read_now.is_read and read_now.measured_path is not null then {{ parse_quantity(value_text) }}
    end as quantity,
    case
        when read_now.is_extracted and (read_now.is_unique_counted or read_now.item is null) then read_now.item
        when read_now.is_extracted then null
        when read_now.is_read and read_now.is_unique_counted
            then {{ counted_item(value_text) }}
    end as item,
    coalesce(
        case
            when read_now.is_extracted then read_now.is_remove
            when read_now.is_read and read_now.is_unique_counted
                then {{ json_text('read_now.read_text', "'operation_type'") }} = 'remove'
        end, false
    ) as is_remove,
    read_now.fate
from read_now
{%- endmacro %}
