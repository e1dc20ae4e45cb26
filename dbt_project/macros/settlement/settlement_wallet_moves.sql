{#
  What is taken out of wallets without an invoice: a wallet ends, is voided in part, or a purchase is refunded
  (docs/billing-rules.md, Wallets, Top-ups by rule and Credit notes). Reads `steps`, `balances` and `issue_amounts`.

    wallet_moves  one row per step, wallet and cause: cents, and credits in 10^-5
#}
{% macro settlement_wallet_moves() -%}
wallet_moves as (

    select
        steps.chain_id,
        steps.step_no,
        balances.source_id,
        balances.balance_cents as credit_cents,
        balances.credits_e5 as credits_e5,
        true as is_ended,
        steps.entry_id as move_id
    from steps
    inner join balances
        on
            steps.chain_id = balances.chain_id
            and steps.step_no = balances.step_no
            and steps.entry_id = balances.source_id
            and balances.source_type = 'wallet'
    where steps.entry_kind = 'wallet_end'

    union all

    select
        steps.chain_id,
        steps.step_no,
        balances.source_id,
        least(balances.balance_cents, transactions.amount_cents) as credit_cents,
        least(balances.credits_e5, transactions.credits_e5) as credits_e5,
        false as is_ended,
        steps.entry_id as move_id
    from steps
    inner join {{ ref('int_wallet_transactions') }} as transactions
        on
            steps.organization_id = transactions.organization_id
            and steps.entry_id = transactions.wallet_transaction_id
    inner join {{ ref('int_wallets') }} as wallets
        on
            transactions.organization_id = wallets.organization_id
            and transactions.wallet_code = wallets.wallet_code
    inner join balances
        on
            steps.chain_id = balances.chain_id
            and steps.step_no = balances.step_no
            and wallets.source_id = balances.source_id
    where steps.entry_kind = 'wallet_void'

    union all

    {# the refund of a purchase takes its credits out of the wallet #}
    select
        amounts.chain_id,
        amounts.step_no,
        balances.source_id,
        amounts.refund_cents as credit_cents,
        least(
            balances.credits_e5,
            {{ divide_half_away(
                'cast(amounts.refund_cents as ' ~ wide_integer() ~ ') * wallets.scale_of_product', 'wallets.rate_e12'
            ) }}
        ) as credits_e5,
        false as is_ended,
        amounts.credit_note_id as move_id
    from issue_amounts as amounts
    inner join {{ ref('int_wallets') }} as wallets
        on amounts.wallet_source_id = wallets.source_id
    inner join balances
        on
            amounts.chain_id = balances.chain_id
            and amounts.step_no = balances.step_no
            and wallets.source_id = balances.source_id
    where amounts.refusal is null and amounts.refund_cents > 0

)
{%- endmacro %}
