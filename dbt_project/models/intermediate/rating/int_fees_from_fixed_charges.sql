{{ config(pre_hook='{{ prefer_hash_joins() }}') }}

with

priced as (

    select * from {{ ref('int_fixed_charges_priced') }}

),

subscriptions as (

    select * from {{ ref('int_subscriptions_started') }}

),

plan_versions as (

    select * from {{ ref('int_plan_versions') }}

),

add_ons as (

    select * from {{ ref('int_add_on_versions') }}

),

currencies as (

    select * from {{ ref('currencies') }}

),

rounded as (

    select
        priced.*,
        plan_versions.amount_currency as currency,
        currencies.exponent as currency_exponent,
        {{ round_to_minor_units('priced.amount', 'currencies.exponent') }} as gross_amount_cents,
        {{ precise_minor_units('priced.amount', 'currencies.exponent') }} as gross_precise_amount_cents,
        subscriptions.previous_created_at,
        priced.reason = 'start' and subscriptions.started_by = 'upgrade' and priced.is_pay_in_advance
        and priced.is_prorated as is_less_what_was_paid
    from priced
    inner join subscriptions
        on
            priced.organization_id = subscriptions.organization_id
            and priced.external_subscription_id = subscriptions.external_subscription_id
            and priced.subscription_created_at = subscriptions.created_at
    inner join plan_versions
        on
            priced.organization_id = plan_versions.organization_id
            and priced.plan_code = plan_versions.plan_code
            and priced.plan_effective_at = plan_versions.effective_at
    left join currencies
        on plan_versions.amount_currency = currencies.currency_code

),

{#
  What the row before an upgrade paid in advance for the same add-on, for the days from the change on: its price by the
  days that are left of those that it was for. One fixed charge of an add-on takes it off, the first of its plan.
#}
paid as (

    select
        upgraded.moment_id,
        upgraded.fixed_charge_code,
        sum(
            {{ divide_half_away(
                'cast(replaced.gross_amount_cents as ' ~ wide_integer() ~ ') * ('
                ~ days_between('upgraded.from_date', 'replaced.to_date') ~ ' + 1)',
                days_between('replaced.from_date', 'replaced.to_date') ~ ' + 1'
            ) }}
        ) as amount_cents
    from (
        select
            rounded.*,
            row_number() over (partition by rounded.moment_id, rounded.add_on_code order by rounded.position)
                as add_on_rank
        from rounded
        where rounded.is_less_what_was_paid
    ) as upgraded
    inner join rounded as replaced
        on
            upgraded.organization_id = replaced.organization_id
            and upgraded.external_subscription_id = replaced.external_subscription_id
            and upgraded.previous_created_at = replaced.subscription_created_at
            and upgraded.add_on_code = replaced.add_on_code
            and replaced.is_pay_in_advance
            and not replaced.is_restated
            and upgraded.from_date >= replaced.from_date
            and upgraded.from_date <= replaced.to_date
    where upgraded.add_on_rank = 1
    group by upgraded.moment_id, upgraded.fixed_charge_code

)

select
    {{ surrogate_key(['rounded.moment_id', "'fixed_charge'", 'rounded.fixed_charge_code']) }} as fee_id,
    rounded.moment_id,
    rounded.organization_id,
    rounded.external_subscription_id,
    rounded.subscription_created_at,
    rounded.plan_code,
    rounded.plan_effective_at,
    'fixed_charge' as fee_type,
    rounded.fixed_charge_code as fee_code,
    coalesce(rounded.invoice_display_name, add_ons.add_on_name, rounded.fixed_charge_code) as fee_name,
    {# after the plan's fee and its usage charges #}
    1000000 + rounded.position as fee_position,
    0 as filter_position,
    cast(null as varchar) as billable_metric_code,
    rounded.charge_model,
    cast(null as varchar) as filter_values,
    cast(null as varchar) as group_values,
    rounded.from_date,
    rounded.to_date,
    rounded.units,
    cast(0 as bigint) as events_count,
    case when rounded.charge_model = 'standard' then rounded.unit_price end as unit_price,
    rounded.currency,
    rounded.currency_exponent,
    cast(
        case
            when paid.amount_cents is null then rounded.gross_amount_cents
            else greatest(rounded.gross_amount_cents - paid.amount_cents, 0)
        end as bigint
    ) as amount_cents,
    cast(
        case
            when paid.amount_cents is null then rounded.gross_precise_amount_cents
            else greatest(rounded.gross_precise_amount_cents - paid.amount_cents, 0)
        end as decimal(38, 15)
    ) as precise_amount_cents
from rounded
left join paid
    on
        rounded.moment_id = paid.moment_id
        and rounded.fixed_charge_code = paid.fixed_charge_code
left join add_ons
    on
        rounded.organization_id = add_ons.organization_id
        and rounded.add_on_code = add_ons.add_on_code
        and rounded.billing_at >= add_ons.valid_from_at
        and rounded.billing_at < add_ons.valid_to_at
{# a line without units and amount is not kept #}
where rounded.is_open and (rounded.units <> 0 or rounded.amount is null or rounded.amount <> 0)
