with

moments as (

    select * from {{ ref('int_billing_moments') }}
    where moment_state = 'due'

),

metered_charges as (

    select * from {{ ref('int_metered_charges') }}
    where moment_state = 'due'

),

usage as (

    select * from {{ ref('int_usage_aggregated') }}

),

ledger_moments as (

    {{ committed_rows('ledger_moments', {
        'moment_id': 'varchar',
        'organization_id': 'varchar',
        'external_subscription_id': 'varchar',
        'usage_from_date': 'date',
        'usage_to_date': 'date',
    }) }}

),

ledger_fees as (

    {{ committed_rows('ledger_fees', {
        'moment_id': 'varchar',
        'billable_metric_code': 'varchar',
        'events_count': 'bigint',
    }) }}

),

due_counts as (

    select
        moments.organization_id,
        moments.external_subscription_id,
        metered_charges.billable_metric_code,
        moments.usage_from_date as from_date,
        moments.usage_to_date as to_date,
        cast(sum(usage.events_count) as bigint) as events_count
    from moments
    inner join metered_charges
        on moments.moment_id = metered_charges.moment_id
    inner join usage
        on
            metered_charges.moment_id = usage.moment_id
            and metered_charges.charge_code = usage.charge_code
    group by
        moments.organization_id,
        moments.external_subscription_id,
        metered_charges.billable_metric_code,
        moments.usage_from_date,
        moments.usage_to_date

),

{# a metric without usage has no fee in the ledger: its period counts as none #}
finalized_counts as (

    select
        due_counts.organization_id,
        due_counts.external_subscription_id,
        due_counts.billable_metric_code,
        ledger_moments.usage_from_date as from_date,
        ledger_moments.usage_to_date as to_date,
        cast(coalesce(sum(ledger_fees.events_count), 0) as bigint) as events_count
    from due_counts
    inner join ledger_moments
        on
            due_counts.organization_id = ledger_moments.organization_id
            and due_counts.external_subscription_id = ledger_moments.external_subscription_id
            and ledger_moments.usage_to_date = {{ add_days('due_counts.from_date', -1) }}
    left join ledger_fees
        on
            ledger_moments.moment_id = ledger_fees.moment_id
            and due_counts.billable_metric_code = ledger_fees.billable_metric_code
    group by
        due_counts.organization_id,
        due_counts.external_subscription_id,
        due_counts.billable_metric_code,
        ledger_moments.usage_from_date,
        ledger_moments.usage_to_date

),

{# a close that catches up bills several periods: then the one before is due too #}
earlier_counts as (

    select * from finalized_counts
    union all
    select * from due_counts

),

{# a first period may be shorter: what was expected of this one is in proportion to its days #}
compared as (

    select
        due_counts.organization_id,
        due_counts.billable_metric_code,
        due_counts.from_date,
        due_counts.to_date,
        count(*) as subscriptions_count,
        cast(sum(due_counts.events_count) as bigint) as events_count,
        cast(sum(earlier_counts.events_count) as bigint) as previous_events_count,
        cast(
            sum(
                {{ divide_half_away(
                    'earlier_counts.events_count * (' ~ days_between('due_counts.from_date', 'due_counts.to_date') ~ ' + 1)',
                    days_between('earlier_counts.from_date', 'earlier_counts.to_date') ~ ' + 1'
                ) }}
            ) as bigint
        ) as expected_events_count
    from due_counts
    inner join earlier_counts
        on
            due_counts.organization_id = earlier_counts.organization_id
            and due_counts.external_subscription_id = earlier_counts.external_subscription_id
            and due_counts.billable_metric_code = earlier_counts.billable_metric_code
            and earlier_counts.to_date = {{ add_days('due_counts.from_date', -1) }}
    group by
        due_counts.organization_id,
        due_counts.billable_metric_code,
        due_counts.from_date,
        due_counts.to_date

)

select
    compared.organization_id,
    compared.billable_metric_code,
    compared.from_date,
    compared.to_date,
    compared.subscriptions_count,
    compared.events_count,
    compared.previous_events_count,
    compared.expected_events_count,
    case
        when compared.expected_events_count > 0
            then cast(
                {{ divide_half_away(
                    '(compared.events_count - compared.expected_events_count) * 100', 'compared.expected_events_count'
                ) }} as bigint
            )
    end as change_percent
from compared
