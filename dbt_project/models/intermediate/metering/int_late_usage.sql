{#
  What became known of a period after it was billed. It counts when the next invoice of the subscription is made: until
  then it is pending, afterwards it is decided. So only what no invoice of the subscription knew is looked at. What a
  charge in advance reads is billed at once: a correction of it counts when its own period is billed.
#}
{%- set known_before = closed_batch() -%}
{%- set edges = late_edges() -%}
{%- set settled = settled_bounds() -%}
{%- set undecided = undecided_edges() -%}
{%- set known_events -%}
    select
        usage_events.organization_id,
        usage_events.external_subscription_id,
        usage_events.transaction_id,
        usage_events.code,
        usage_events.event_at,
        coalesce(usage_events.received_at, usage_events.event_at) as known_at,
        usage_events.batch_id
    from {{ ref('stg_events__usage_events') }} as usage_events
{%- endset -%}
with

close_scope as (

    select * from {{ ref('stg_events__close_scope') }}

),

moments as (

    select
        moments.*,
        greatest(moments.finalizes_at, moments.usage_to_at) as billed_at
    from {{ ref('int_billing_moments') }} as moments
    where moments.is_invoiced

),

last_invoices as (

    select
        moments.organization_id,
        moments.external_subscription_id,
        max(moments.billed_at) as billed_at,
        max(moments.known_batch_id) as known_batch_id
    from moments
    where moments.moment_state = 'finalized'
    group by moments.organization_id, moments.external_subscription_id

),

newest_closes as (

    select
        fates.organization_id,
        max(fates.close_id) as close_id
    from {{ ref('stg_ledger__event_fates') }} as fates
    group by fates.organization_id

),

{#
  Subscriptions with events that the close before knew and that may be late, and what their last invoices knew.
#}
late_subscriptions as (

    select distinct
        fates.organization_id,
        fates.external_subscription_id,
        last_invoices.known_batch_id,
        last_invoices.billed_at
    from {{ ref('stg_ledger__event_fates') }} as fates
    inner join newest_closes
        on
            fates.organization_id = newest_closes.organization_id
            and fates.close_id = newest_closes.close_id
    left join last_invoices
        on
            fates.organization_id = last_invoices.organization_id
            and fates.external_subscription_id = last_invoices.external_subscription_id
    where fates.fate in {{ late_fates() }}

),

unbilled_subscriptions as (

    select
        late_subscriptions.organization_id,
        late_subscriptions.external_subscription_id
    from late_subscriptions
    where late_subscriptions.known_batch_id is null

),

versions as (

    select * from {{ ref('int_event_versions') }}

),

{#
  Levels by time, which stay as they were known in time: what is late for one is missing in every later period, too, and
  makes a difference there.
#}
timed_codes as (

    select distinct
        billed_codes.organization_id,
        billed_codes.external_subscription_id,
        billed_codes.event_code
    from {{ ref('int_billed_codes') }} as billed_codes
    where
        billed_codes.is_recurring
        and not billed_codes.is_level_known
        and billed_codes.external_subscription_id in (
            select late_subscriptions.external_subscription_id from late_subscriptions
        )

),

{#
  New batches: what happened before the last billed instant, and what arrived after the first that is billed now. Of those
  that the close before knew: what was late then, and what arrived too late for a period that was still open.
#}
arrivals as (

    {% set arrived = "usage_events.received_at >= timestamp '" ~ edges[1] ~ "'" -%}
    {% set is_new = 'usage_events.batch_id > ' ~ known_before -%}
    {% for edge, is_of_before, condition in [
        (edges[0], false, is_new ~ " and usage_events.event_at < timestamp '" ~ edges[0] ~ "'"),
        (
            edges[1],
            false,
            is_new ~ ' and ' ~ arrived
            ~ (" and usage_events.event_at >= timestamp '" ~ edges[0] ~ "'" if edges[0] else '')
        ),
        (
            edges[1],
            true,
            'not (' ~ is_new ~ ') and ' ~ arrived
            ~ (" and usage_events.event_at >= timestamp '" ~ settled.from_at ~ "'" if settled else '')
        ),
    ] if edge -%}
        {{ known_events | indent(8) }}
        {% if is_of_before %}
            left join late_subscriptions
                on
                    usage_events.organization_id = late_subscriptions.organization_id
                    and usage_events.external_subscription_id = late_subscriptions.external_subscription_id
        {% endif %}
        where {{ condition }}{{ ' and late_subscriptions.organization_id is null' if is_of_before }}

        union all

    {% endfor -%}
    {# of those subscriptions, as in `undecided`, before each event meets all periods after it #}
    {% for condition in [
        'usage_events.batch_id > ' ~ undecided.batch ~ ' and usage_events.batch_id > late_subscriptions.known_batch_id',
        "usage_events.received_at >= timestamp '" ~ undecided.billed_at
        ~ "' and usage_events.received_at >= late_subscriptions.billed_at",
        "usage_events.received_at is null and usage_events.event_at >= timestamp '" ~ undecided.billed_at
        ~ "' and usage_events.event_at >= late_subscriptions.billed_at",
    ] if undecided.batch is not none -%}
        {{ known_events | indent(8) }}
        inner join late_subscriptions
            on
                usage_events.organization_id = late_subscriptions.organization_id
                and usage_events.external_subscription_id = late_subscriptions.external_subscription_id
        where usage_events.batch_id <= {{ known_before }} and {{ condition }}

        union all

    {% endfor -%}
    {{ known_events | indent(4) }}
    inner join unbilled_subscriptions
        on
            usage_events.organization_id = unbilled_subscriptions.organization_id
            and usage_events.external_subscription_id = unbilled_subscriptions.external_subscription_id
    where usage_events.batch_id <= {{ known_before }}

    union all

    {{ known_events | indent(4) }}
    inner join timed_codes
        on
            usage_events.organization_id = timed_codes.organization_id
            and usage_events.external_subscription_id = timed_codes.external_subscription_id
            and usage_events.code = timed_codes.event_code
    where usage_events.batch_id <= {{ known_before }}

),

{# an event is news where it lies; a late correction is, too, where the version before lay #}
news as (

    select
        arrivals.organization_id,
        arrivals.external_subscription_id,
        arrivals.code,
        arrivals.event_at,
        arrivals.known_at,
        arrivals.batch_id,
        'late_event' as cause,
        false as is_correction,
        false as is_taken_away,
        false as is_late_version
    from arrivals
    left join versions
        on
            arrivals.organization_id = versions.organization_id
            and arrivals.external_subscription_id = versions.external_subscription_id
            and arrivals.transaction_id = versions.transaction_id
            and versions.version_number = 0
    where versions.organization_id is null

    union all

    select
        versions.organization_id,
        versions.external_subscription_id,
        versions.code,
        versions.event_at,
        versions.known_at,
        versions.batch_id,
        case
            when versions.version_number = 0 then 'late_event'
            when versions.is_cancelled then 'cancelled_event'
            else 'corrected_event'
        end as cause,
        versions.version_number > 0 as is_correction,
        false as is_taken_away,
        versions.is_late as is_late_version
    from versions

    union all

    select
        versions.organization_id,
        versions.external_subscription_id,
        before_it.code,
        before_it.event_at,
        versions.known_at,
        versions.batch_id,
        case when versions.is_cancelled then 'cancelled_event' else 'corrected_event' end as cause,
        true as is_correction,
        true as is_taken_away,
        versions.is_late as is_late_version
    from versions
    inner join versions as before_it
        on
            versions.organization_id = before_it.organization_id
            and versions.external_subscription_id = before_it.external_subscription_id
            and versions.transaction_id = before_it.transaction_id
            and versions.version_number = before_it.version_number + 1

),

{# of subscriptions that something became known of #}
news_subscriptions as (

    select distinct
        news.organization_id,
        news.external_subscription_id
    from news

),

billed_codes as (

    select billed_codes.*
    from {{ ref('int_billed_codes') }} as billed_codes
    inner join news_subscriptions
        on
            billed_codes.organization_id = news_subscriptions.organization_id
            and billed_codes.external_subscription_id = news_subscriptions.external_subscription_id

),

{# what was too late for the period in which it lies #}
judged as (

    select
        news.*,
        news.is_late_version or billed_codes.moment_id is not null as is_late
    from news
    left join moments
        on
            news.organization_id = moments.organization_id
            and news.external_subscription_id = moments.external_subscription_id
            and news.event_at >= moments.usage_from_at
            and news.event_at < moments.usage_to_at
            and not news.is_taken_away
            and (
                (moments.moment_state in ('finalized', 'due') and news.known_at >= moments.billed_at)
                or (moments.moment_state = 'finalized' and news.batch_id > moments.known_batch_id)
            )
    left join billed_codes
        on
            moments.moment_id = billed_codes.moment_id
            and news.code = billed_codes.event_code

),

{# late for the period; and news to the subscription's last invoice #}
found as (

    select
        moments.moment_id,
        moments.organization_id,
        moments.external_subscription_id,
        moments.billing_at,
        news.cause,
        case
            when news.is_late_version or (news.is_late and not billed_codes.is_level_known)
                then greatest(news.known_at, moments.billed_at)
            else news.known_at
        end as known_at,
        news.batch_id
    from judged as news
    inner join close_scope
        on
            news.organization_id = close_scope.organization_id
            and news.batch_id <= close_scope.known_batch_id
            and news.known_at <= close_scope.as_of
            and news.event_at <= close_scope.as_of
    inner join moments
        on
            news.organization_id = moments.organization_id
            and news.external_subscription_id = moments.external_subscription_id
            and news.event_at < moments.usage_to_at
    inner join billed_codes
        on
            moments.moment_id = billed_codes.moment_id
            and news.code = billed_codes.event_code
            and (news.event_at >= moments.usage_from_at or billed_codes.is_recurring)
    where
        moments.moment_state in ('finalized', 'due')
        and (
            (news.is_late and not billed_codes.is_level_known)
            {# events of this period that were charged before it was known #}
            or (
                news.is_late_version
                and billed_codes.is_pay_in_advance
                and news.known_at >= moments.usage_from_at
            )
            or (
                {# a correction in time is late where it put the event, not where it took it from #}
                (news.is_late_version or not news.is_taken_away)
                and (
                    news.known_at >= moments.billed_at
                    or (moments.moment_state = 'finalized' and news.batch_id > moments.known_batch_id)
                )
            )
        )

    union all

    {# units of a fixed charge that were told, or taken back, after what they are for was billed #}
    select distinct
        moments.moment_id,
        moments.organization_id,
        moments.external_subscription_id,
        moments.billing_at,
        'late_units' as cause,
        moments.billed_at as known_at,
        coalesce(unit_versions.until_batch_id, unit_versions.since_batch_id) as batch_id
    from moments
    inner join {{ ref('int_fixed_charge_unit_versions') }} as unit_versions
        on
            moments.organization_id = unit_versions.organization_id
            and moments.external_subscription_id = unit_versions.external_subscription_id
            and moments.subscription_created_at = unit_versions.created_at
            and moments.billing_at >= unit_versions.effective_at
            and moments.known_batch_id < coalesce(unit_versions.until_batch_id, unit_versions.since_batch_id)
    where
        moments.moment_state = 'finalized'
        {# told and taken back between two invoices: nothing #}
        and (unit_versions.until_batch_id is null or unit_versions.since_batch_id <= moments.known_batch_id)

),

undecided as (

    select
        found.moment_id,
        found.organization_id,
        found.external_subscription_id,
        found.billing_at,
        found.cause,
        found.known_at
    from found
    left join last_invoices
        on
            found.organization_id = last_invoices.organization_id
            and found.external_subscription_id = last_invoices.external_subscription_id
    where
        last_invoices.organization_id is null
        or found.batch_id > last_invoices.known_batch_id
        or found.known_at >= last_invoices.billed_at
    group by
        found.moment_id,
        found.organization_id,
        found.external_subscription_id,
        found.billing_at,
        found.cause,
        found.known_at

),

{# the first invoice of the subscription that knows it #}
deciding as (

    select
        undecided.moment_id,
        undecided.cause,
        next_moments.moment_id as next_moment_id,
        row_number() over (
            partition by undecided.moment_id, undecided.cause, undecided.known_at
            order by next_moments.billing_at, next_moments.moment_id
        ) as place
    from undecided
    left join moments as next_moments
        on
            undecided.organization_id = next_moments.organization_id
            and undecided.external_subscription_id = next_moments.external_subscription_id
            and next_moments.moment_state = 'due'
            and undecided.billing_at < next_moments.billing_at
            and undecided.known_at < next_moments.billed_at

)

select
    deciding.moment_id,
    deciding.next_moment_id,
    deciding.cause
from deciding
where deciding.place = 1

union distinct

{# corrected in time, of what was billed before: with the period's own invoice #}
select
    moments.moment_id,
    case when moments.moment_state = 'due' then moments.moment_id end as next_moment_id,
    news.cause
from news
inner join close_scope
    on
        news.organization_id = close_scope.organization_id
        and news.batch_id <= close_scope.known_batch_id
        and news.known_at <= close_scope.as_of
inner join moments
    on
        news.organization_id = moments.organization_id
        and news.external_subscription_id = moments.external_subscription_id
        and news.event_at < moments.usage_to_at
        and news.known_at < moments.billed_at
inner join billed_codes
    on
        moments.moment_id = billed_codes.moment_id
        and news.code = billed_codes.event_code
        and billed_codes.is_pay_in_advance
        and (
            news.event_at >= moments.usage_from_at
            or (billed_codes.is_recurring and news.known_at >= moments.usage_from_at)
        )
where moments.moment_state <> 'finalized' and news.is_correction and not news.is_late_version
