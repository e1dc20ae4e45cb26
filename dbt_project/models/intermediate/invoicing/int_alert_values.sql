{#
  What each alert watches, as it stands at the end of the close: of usage for each open period of its subscription (the
  one that runs and those that this close ends), of a lifetime once, of a wallet since it was last filled.
#}
with

close_scope as (

    select * from {{ ref('stg_events__close_scope') }}

),

alerts as (

    select
        alerts.*,
        close_scope.close_id,
        close_scope.as_of
    from {{ ref('stg_book__alerts') }} as alerts
    inner join close_scope
        on
            alerts.organization_id = close_scope.organization_id
            and coalesce(alerts.created_at, {{ beginning_of_time() }}) <= close_scope.as_of
            and coalesce(alerts.terminated_at, {{ end_of_time() }}) > close_scope.as_of

),

usage_alerts as (

    select * from alerts
    where external_subscription_id is not null

),

{# only what somebody watches is added up #}
watched_subscriptions as (

    select distinct
        usage_alerts.organization_id,
        usage_alerts.external_subscription_id
    from usage_alerts

),

moments as (

    select moments.*
    from {{ ref('int_billing_moments') }} as moments
    inner join watched_subscriptions
        on
            moments.organization_id = watched_subscriptions.organization_id
            and moments.external_subscription_id = watched_subscriptions.external_subscription_id
    where moments.moment_state in {{ open_states() }}

),

pricing_units as (

    select * from {{ ref('int_pricing_unit_versions') }}

),

charge_usage as (

    select
        moments.organization_id,
        moments.external_customer_id,
        moments.external_subscription_id,
        {{ surrogate_key([
            'moments.organization_id', 'moments.external_subscription_id', 'moments.subscription_created_at',
            'moments.usage_from_at',
        ]) }} as period_id,
        charge_windows.billable_metric_code,
        charge_windows.is_pay_in_advance,
        priced.full_units as units,
        {{ round_to_minor_units(
            converted_amount(
                'priced.amount', 'charge_windows.applied_pricing_unit_code', 'pricing_units.exponent',
                'charge_windows.pricing_unit_conversion_rate'
            ),
            'currencies.exponent'
        ) }} as amount_cents
    from {{ ref('int_usage_aggregated') }} as aggregated
    inner join {{ ref('int_charge_windows') }} as charge_windows
        on
            aggregated.moment_id = charge_windows.moment_id
            and aggregated.charge_code = charge_windows.charge_code
            and charge_windows.moment_id = charge_windows.period_moment_id
    inner join moments
        on charge_windows.moment_id = moments.moment_id
    inner join {{ ref('int_usage_priced') }} as priced
        on aggregated.usage_id = priced.point_id
    inner join {{ ref('int_plan_versions') }} as plan_versions
        on
            charge_windows.organization_id = plan_versions.organization_id
            and charge_windows.plan_code = plan_versions.plan_code
            and charge_windows.plan_effective_at = plan_versions.effective_at
    left join {{ ref('currencies') }} as currencies
        on plan_versions.amount_currency = currencies.currency_code
    left join pricing_units
        on
            charge_windows.organization_id = pricing_units.organization_id
            and charge_windows.applied_pricing_unit_code = pricing_units.pricing_unit_code
            and charge_windows.usage_from_at >= pricing_units.valid_from_at
            and charge_windows.usage_from_at < pricing_units.valid_to_at

),

{# a lifetime: what was invoiced of charges, and what is open of those that are billed later #}
lifetime_usage as (

    select
        ledger_moments.organization_id,
        ledger_moments.external_subscription_id,
        ledger_fees.amount_cents
    from {{ ref('stg_ledger__fees') }} as ledger_fees
    inner join {{ ref('stg_ledger__moments') }} as ledger_moments
        on ledger_fees.moment_id = ledger_moments.moment_id
    inner join watched_subscriptions
        on
            ledger_moments.organization_id = watched_subscriptions.organization_id
            and ledger_moments.external_subscription_id = watched_subscriptions.external_subscription_id
    where
        ledger_fees.fee_type in ('charge', 'true_up')
        and ledger_moments.reason not in ('progressive_billing', 'regeneration')

    union all

    select
        advance.organization_id,
        advance.external_subscription_id,
        fees.amount_cents
    from {{ ref('int_fees_from_advance_charges') }} as fees
    inner join {{ ref('int_advance_moments') }} as advance
        on
            fees.moment_id = advance.moment_id
            and advance.moment_state = 'due'
    inner join watched_subscriptions
        on
            advance.organization_id = watched_subscriptions.organization_id
            and advance.external_subscription_id = watched_subscriptions.external_subscription_id

    union all

    select
        charge_usage.organization_id,
        charge_usage.external_subscription_id,
        charge_usage.amount_cents
    from charge_usage
    where not charge_usage.is_pay_in_advance

),

lifetimes as (

    select
        lifetime_usage.organization_id,
        lifetime_usage.external_subscription_id,
        sum(lifetime_usage.amount_cents) as amount_cents
    from lifetime_usage
    group by lifetime_usage.organization_id, lifetime_usage.external_subscription_id

),

subscription_customers as (

    select
        started.organization_id,
        started.external_subscription_id,
        min(started.external_customer_id) as external_customer_id
    from {{ ref('int_subscriptions_started') }} as started
    group by started.organization_id, started.external_subscription_id

),

watched as (

    select
        usage_alerts.organization_id,
        usage_alerts.alert_code,
        charge_usage.external_customer_id,
        charge_usage.period_id as alert_period,
        cast(
            sum(
                case
                    when usage_alerts.alert_type = 'billable_metric_current_usage_units' then charge_usage.units
                    else charge_usage.amount_cents
                end
            ) as decimal(38, 12)
        ) as current_value
    from usage_alerts
    inner join charge_usage
        on
            usage_alerts.organization_id = charge_usage.organization_id
            and usage_alerts.external_subscription_id = charge_usage.external_subscription_id
            and coalesce(usage_alerts.billable_metric_code, charge_usage.billable_metric_code)
            = charge_usage.billable_metric_code
    where usage_alerts.alert_type <> 'lifetime_usage_amount'
    group by
        usage_alerts.organization_id, usage_alerts.alert_code, charge_usage.external_customer_id, charge_usage.period_id

    union all

    select
        usage_alerts.organization_id,
        usage_alerts.alert_code,
        subscription_customers.external_customer_id,
        'lifetime' as alert_period,
        cast(lifetimes.amount_cents as decimal(38, 12)) as current_value
    from usage_alerts
    inner join lifetimes
        on
            usage_alerts.organization_id = lifetimes.organization_id
            and usage_alerts.external_subscription_id = lifetimes.external_subscription_id
    inner join subscription_customers
        on
            usage_alerts.organization_id = subscription_customers.organization_id
            and usage_alerts.external_subscription_id = subscription_customers.external_subscription_id
    where usage_alerts.alert_type = 'lifetime_usage_amount'

    union all

    select
        alerts.organization_id,
        alerts.alert_code,
        standings.external_customer_id,
        standings.filling_id as alert_period,
        cast(
            case alerts.alert_type
                when 'wallet_balance_amount' then cast(standings.balance_cents as decimal(38, 5))
                when 'wallet_credits_balance' then standings.credits_balance
                when 'wallet_ongoing_balance_amount' then cast(standings.ongoing_balance_cents as decimal(38, 5))
                else standings.credits_ongoing_balance
            end as decimal(38, 12)
        ) as current_value
    from alerts
    inner join {{ ref('int_wallet_standings') }} as standings
        on
            alerts.organization_id = standings.organization_id
            and alerts.wallet_code = standings.wallet_code

)

select
    alerts.close_id,
    alerts.organization_id,
    watched.external_customer_id,
    alerts.alert_code,
    alerts.alert_name,
    alerts.alert_type,
    alerts.external_subscription_id,
    alerts.wallet_code,
    alerts.billable_metric_code,
    watched.alert_period,
    watched.current_value,
    alerts.wallet_code is not null as is_falling,
    alerts.as_of
from watched
inner join alerts
    on
        watched.organization_id = alerts.organization_id
        and watched.alert_code = alerts.alert_code
