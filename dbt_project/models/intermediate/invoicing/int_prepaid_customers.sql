{#
  Customers whose only balance is one wallet without limits: what their invoices take of it has a closed form
  (int_prepaid_moves), so that a hundred thousand of them need no rounds.
#}
with

sources as (

    select
        sources.chain_id,
        sources.organization_id,
        sources.external_customer_id,
        min(sources.source_id) as source_id
    from {{ ref('int_balance_sources') }} as sources
    group by sources.chain_id, sources.organization_id, sources.external_customer_id
    having
        min(sources.source_id) = max(sources.source_id)
        and min(sources.source_type) = 'wallet'
        and max(sources.source_type) = 'wallet'

),

wallets as (

    select wallets.*
    from {{ ref('int_wallets') }} as wallets
    inner join {{ ref('stg_events__close_scope') }} as close_scope
        on
            wallets.organization_id = close_scope.organization_id
            and wallets.ended_at > close_scope.as_of
    where not wallets.is_limited

),

{# what needs steps of its own #}
stepping as (

    select
        notes.organization_id,
        notes.external_customer_id
    from {{ ref('int_credit_note_requests') }} as notes

    union

    select
        credits.organization_id,
        credits.external_customer_id
    from {{ ref('int_progressive_credits') }} as credits

    union

    select
        invoice_voids.organization_id,
        invoice_voids.external_customer_id
    from {{ ref('int_invoice_voids') }} as invoice_voids
    where invoice_voids.refusal is null

    union

    select
        transactions.organization_id,
        transactions.external_customer_id
    from {{ ref('int_wallet_transactions') }} as transactions
    left join {{ ref('stg_ledger__wallet_moves') }} as moved
        on
            transactions.organization_id = moved.organization_id
            and transactions.wallet_transaction_id = moved.wallet_transaction_id
    where transactions.transaction_kind = 'voided' and moved.wallet_transaction_id is null

)

{# numbers instead of keys, and credits a cent where they are whole: what a million moves are quick with #}
select
    sources.chain_id,
    row_number() over (order by {{ binary_order('sources.chain_id') }}) as chain_no,
    sources.organization_id,
    sources.external_customer_id,
    sources.source_id,
    wallets.currency,
    wallets.rate_e12,
    wallets.scale_of_product,
    case
        when wallets.scale_of_product % wallets.rate_e12 = 0
            then {{ divide_integers('wallets.scale_of_product', 'wallets.rate_e12') }}
    end as credits_e5_of_cent
from sources
inner join wallets
    on sources.source_id = wallets.source_id
left join stepping
    on
        sources.organization_id = stepping.organization_id
        and sources.external_customer_id = stepping.external_customer_id
where stepping.organization_id is null
