{#
  The next top-ups that depend on what is left of a wallet (docs/billing-rules.md, Top-ups by rule): of each customer those of the
  first instant at which a rule asks for one, seen from the settlement with all that rules have made so far. The close
  hands them back to the models (raw.close_top_ups) and looks again, until there are none.
#}
with

rules as (

    select * from {{ ref('int_top_up_rules') }}
    where is_judged

),

usage as (

    select
        wallet_usage.judgement_id,
        wallet_usage.source_id,
        cast({{ divide_half_away('sum(wallet_usage.used_e10)', power_of_ten(10)) }} as bigint) as usage_cents
    from {{ ref('int_wallet_usage') }} as wallet_usage
    group by wallet_usage.judgement_id, wallet_usage.source_id

),

left_over as (

    select
        levels.judgement_id,
        levels.source_id,
        levels.judged_at,
        levels.instant_rank,
        levels.pending_e5,
        cast(levels.credits_balance * 100000 as decimal(38, 0)) as credits_e5,
        coalesce(usage.usage_cents, 0) as usage_cents
    from {{ ref('int_wallet_levels') }} as levels
    left join usage
        on
            levels.judgement_id = usage.judgement_id
            and levels.source_id = usage.source_id
    where levels.judged_at is not null

),

judged as (

    select
        rules.*,
        left_over.judged_at as topped_up_at,
        left_over.instant_rank,
        left_over.pending_e5,
        left_over.credits_e5 - {{ divide_half_away(
            'cast(left_over.usage_cents as ' ~ wide_integer() ~ ') * rules.scale_of_product', 'rules.rate_e12'
        ) }} as ongoing_e5
    from rules
    inner join left_over
        on
            rules.source_id = left_over.source_id
            and left_over.instant_rank = case when rules.trigger_type = 'threshold' then 10 else 2 end
    left join {{ ref('int_top_up_dates') }} as dates
        on
            rules.organization_id = dates.organization_id
            and rules.wallet_code = dates.wallet_code
            and rules.rule_position = dates.rule_position
            and left_over.judged_at = dates.topped_up_at
    where
        left_over.judged_at >= rules.begins_at
        and left_over.judged_at < rules.ends_at
        and (rules.trigger_type = 'threshold' or dates.topped_up_at is not null)

),

{# purchases that are awaited count as if they were there #}
asking as (

    select
        judged.*,
        judged.ongoing_e5 + judged.pending_e5 as awaited_e5,
        judged.threshold_e5 - judged.ongoing_e5 - judged.pending_e5 - judged.granted_e5 as gap_e5,
        coalesce(judged.max_paid_e5, cast({{ power_of_ten(37) }} as {{ wide_integer() }})) as most_e5
    from judged
    left join {{ ref('int_top_ups') }} as made
        on
            judged.organization_id = made.organization_id
            and judged.wallet_code = made.wallet_code
            and judged.rule_position = made.rule_position
            and judged.topped_up_at = made.topped_up_at
    where
        made.wallet_transaction_id is null
        and (judged.trigger_type = 'interval' or judged.ongoing_e5 + judged.pending_e5 <= judged.threshold_e5)

),

sized as (

    select
        asking.*,
        {# as many purchases of the fixed size as bring it above the threshold, but no more than the wallet allows #}
        cast(
            case
                when asking.method = 'target' and asking.target_e5 > asking.awaited_e5
                    then greatest(asking.target_e5 - asking.awaited_e5, coalesce(asking.min_paid_e5, 0))
                when asking.method = 'target' or asking.paid_e5 = 0 then 0
                when asking.gap_e5 < asking.paid_e5 then least(asking.paid_e5, asking.most_e5)
                else least(
                    asking.paid_e5 * ({{ divide_floor('asking.gap_e5', 'greatest(asking.paid_e5, 1)') }} + 1),
                    asking.most_e5
                )
            end as decimal(38, 0)
        ) as purchased_e5
    from asking

),

{# what is worth less than half a minor unit is not made #}
transactions as (

    {% for kind, credits in [('granted', 'granted_e5'), ('purchased', 'purchased_e5')] -%}
        select
            sized.*,
            '{{ kind }}' as transaction_kind,
            {{ e5_to_decimal('sized.' ~ credits) }} as credits
        from sized
        where
            sized.{{ credits }} > 0
            and {{ multiply_divide('sized.' ~ credits, 'sized.rate_e12', 'sized.scale_of_product') }} > 0
        {% if not loop.last %}

            union all
        {% endif %}
    {%- endfor %}

),

placed as (

    select
        transactions.*,
        dense_rank() over (
            partition by transactions.organization_id, transactions.external_customer_id
            order by
                transactions.topped_up_at, transactions.instant_rank, transactions.source_order,
                transactions.rule_position
        ) as place
    from transactions

)

select
    placed.close_id,
    placed.organization_id,
    placed.external_customer_id,
    {{ top_up_id('placed') }} as wallet_transaction_id,
    placed.wallet_code,
    placed.rule_position,
    placed.trigger_type,
    placed.method,
    placed.transaction_kind,
    placed.transaction_name,
    placed.topped_up_at,
    cast(placed.credits as decimal(38, 5)) as credits,
    cast({{ e5_to_decimal('placed.ongoing_e5') }} as decimal(38, 5)) as ongoing_credits,
    cast({{ e5_to_decimal('placed.pending_e5') }} as decimal(38, 5)) as pending_credits
from placed
where placed.place = 1
