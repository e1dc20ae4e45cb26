{#
  The transactions that rules of wallets make in this close. Fixed credits at an interval depend on nothing; the others
  depend on what the wallet holds at their instant: they are found after settlement (int_top_ups_due), one instant of a
  customer after the other, and come back with the next pass.
#}
with

rules as (

    select * from {{ ref('int_top_up_rules') }}
    where trigger_type = 'interval' and method = 'fixed'

),

dates as (

    select * from {{ ref('int_top_up_dates') }}

),

scheduled as (

    {% for kind, credits in [('granted', 'granted_e5'), ('purchased', 'paid_e5')] -%}
        select
            rules.close_id,
            rules.organization_id,
            rules.external_customer_id,
            rules.wallet_code,
            rules.rule_position,
            rules.trigger_type,
            rules.method,
            '{{ kind }}' as transaction_kind,
            rules.transaction_name,
            dates.topped_up_at,
            {{ e5_to_decimal('rules.' ~ credits) }} as credits
        from rules
        inner join dates
            on
                rules.organization_id = dates.organization_id
                and rules.wallet_code = dates.wallet_code
                and rules.rule_position = dates.rule_position
        where rules.{{ credits }} > 0
        {% if not loop.last %}

            union all
        {% endif %}
    {%- endfor %}

)

select
    scheduled.close_id,
    scheduled.organization_id,
    scheduled.external_customer_id,
    {{ top_up_id('scheduled') }} as wallet_transaction_id,
    scheduled.wallet_code,
    scheduled.rule_position,
    scheduled.trigger_type,
    scheduled.method,
    scheduled.transaction_kind,
    scheduled.transaction_name,
    scheduled.topped_up_at,
    cast(scheduled.credits as decimal(38, 5)) as credits,
    cast(null as decimal(38, 5)) as ongoing_credits,
    cast(null as decimal(38, 5)) as pending_credits
from scheduled

union all

select
    found.close_id,
    found.organization_id,
    found.external_customer_id,
    found.wallet_transaction_id,
    found.wallet_code,
    found.rule_position,
    found.trigger_type,
    found.method,
    found.transaction_kind,
    found.transaction_name,
    found.topped_up_at,
    found.credits,
    found.ongoing_credits,
    found.pending_credits
from {{ ref('stg_events__close_top_ups') }} as found
