{#
  The rules by which wallets are topped up (docs/billing-rules.md, Top-ups by rule), with credits in 10^-5. What an instant
  would have brought that was closed before is not made up for: a customer's rules act after the last close that did not
  leave it out (judged_to_at), so that a rule that is changed, or landed late, gives nothing twice and takes nothing back.
#}
with

rules as (

    select * from {{ ref('stg_book__wallet_rules') }}

),

wallets as (

    select
        wallets.*,
        book.paid_top_up_min_amount_cents,
        book.paid_top_up_max_amount_cents
    from {{ ref('int_wallets') }} as wallets
    inner join {{ ref('stg_book__wallets') }} as book
        on
            wallets.organization_id = book.organization_id
            and wallets.wallet_code = book.wallet_code

),

customers as (

    select * from {{ ref('int_customers_resolved') }}

),

close_scope as (

    select * from {{ ref('stg_events__close_scope') }}

),

closed as (

    select * from {{ ref('stg_ledger__closed_organizations') }}

),

{# a finding on one holds the whole family #}
held as (

    select distinct
        held_customers.close_id,
        held_customers.organization_id,
        customers.payer_external_customer_id as external_customer_id
    from {{ ref('stg_ledger__held_customers') }} as held_customers
    inner join customers
        on
            held_customers.organization_id = customers.organization_id
            and held_customers.external_customer_id = customers.external_customer_id

),

ruled_customers as (

    select distinct
        wallets.organization_id,
        wallets.external_customer_id
    from rules
    inner join wallets
        on
            rules.organization_id = wallets.organization_id
            and rules.wallet_code = wallets.wallet_code

),

last_closed as (

    select
        ruled_customers.organization_id,
        ruled_customers.external_customer_id,
        max(closed.as_of) as judged_to_at
    from ruled_customers
    inner join closed
        on ruled_customers.organization_id = closed.organization_id
    left join held
        on
            closed.close_id = held.close_id
            and ruled_customers.organization_id = held.organization_id
            and ruled_customers.external_customer_id = held.external_customer_id
    where held.external_customer_id is null
    group by ruled_customers.organization_id, ruled_customers.external_customer_id

)

select
    close_scope.close_id,
    rules.organization_id,
    wallets.external_customer_id,
    rules.wallet_code,
    wallets.source_id,
    wallets.source_order,
    rules.rule_position,
    rules.trigger_type,
    rules.rule_interval,
    rules.method,
    {# what is to be compared with what is left #}
    rules.trigger_type = 'threshold' or rules.method = 'target' as is_judged,
    rules.transaction_name,
    rules.started_at,
    greatest(coalesce(rules.started_at, wallets.created_at), wallets.created_at) as begins_at,
    least(coalesce(rules.expiration_at, {{ end_of_time() }}), wallets.ended_at) as ends_at,
    coalesce(last_closed.judged_to_at, {{ beginning_of_time() }}) as judged_to_at,
    close_scope.as_of,
    wallets.rate_e12,
    wallets.scale_of_product,
    cast(trunc(rules.threshold_credits * 100000) as {{ wide_integer() }}) as threshold_e5,
    cast(trunc(rules.target_ongoing_balance * 100000) as {{ wide_integer() }}) as target_e5,
    cast(trunc(coalesce(rules.paid_credits, 0) * 100000) as {{ wide_integer() }}) as paid_e5,
    cast(trunc(coalesce(rules.granted_credits, 0) * 100000) as {{ wide_integer() }}) as granted_e5,
    {% for limit in ['min', 'max'] -%}
        cast({{ divide_half_away(
            'cast(wallets.paid_top_up_' ~ limit ~ '_amount_cents as ' ~ wide_integer() ~ ') * wallets.scale_of_product',
            'wallets.rate_e12',
        ) }} as {{ wide_integer() }}) as {{ limit }}_paid_e5{% if not loop.last %},{% endif %}
    {% endfor %}
from rules
inner join wallets
    on
        rules.organization_id = wallets.organization_id
        and rules.wallet_code = wallets.wallet_code
inner join close_scope
    on rules.organization_id = close_scope.organization_id
left join last_closed
    on
        wallets.organization_id = last_closed.organization_id
        and wallets.external_customer_id = last_closed.external_customer_id
