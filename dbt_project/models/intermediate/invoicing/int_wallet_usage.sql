{%- set round = current_round() -%}
{{ config(
    materialized='rounds',
    bound="select max(wallets.wallet_place) from {{ ref('int_wallet_balances') }} as wallets"
) }}

{#
  What of the usage that is not invoiced yet each wallet would have to pay (semantics/invoice.md section 7.3): like an
  invoice, wallet by wallet in their order, one a round, the largest metric first; but the last wallet that is open to
  a metric takes what is left of it, more than it holds.
#}
with

fees as (

    select
        fees.organization_id,
        invoices.external_customer_id,
        invoices.currency,
        coalesce(fees.billable_metric_code, '') as metric_code,
        {{ e5_to_e10('fees.sub_e5') }} + {{ decimal_to_e10('fees.precise_taxes_amount_cents') }} as due_e10
    from {{ ref('int_fees_taxed') }} as fees
    inner join {{ ref('int_invoices_ordered') }} as invoices
        on fees.invoice_id = invoices.invoice_id
    where fees.fee_type = 'charge' and invoices.invoice_state <> 'due'

),

buckets as (

    select
        fees.organization_id,
        fees.external_customer_id,
        fees.currency,
        fees.metric_code,
        cast(sum(fees.due_e10) as decimal(38, 0)) as size_e10
    from fees
    group by fees.organization_id, fees.external_customer_id, fees.currency, fees.metric_code
    having sum(fees.due_e10) > 0

),

using_customers as (

    select distinct
        buckets.organization_id,
        buckets.external_customer_id,
        buckets.currency
    from buckets

),

wallets as (

    select wallets.*
    from {{ ref('int_wallet_balances') }} as wallets
    inner join using_customers
        on
            wallets.organization_id = using_customers.organization_id
            and wallets.external_customer_id = using_customers.external_customer_id
            and wallets.currency = using_customers.currency

),

open_buckets as (

    select
        wallets.source_id,
        wallets.wallet_place,
        wallets.balance_cents,
        buckets.organization_id,
        buckets.external_customer_id,
        buckets.currency,
        buckets.metric_code,
        buckets.size_e10,
        max(wallets.wallet_place) over (
            partition by buckets.organization_id, buckets.external_customer_id, buckets.currency, buckets.metric_code
        ) as last_wallet_place
    from wallets
    inner join buckets
        on
            wallets.organization_id = buckets.organization_id
            and wallets.external_customer_id = buckets.external_customer_id
            and wallets.currency = buckets.currency
    where
        not wallets.is_limited
        or exists (
            select 1
            from {{ ref('stg_book__wallet_targets') }} as targets
            where
                targets.organization_id = wallets.organization_id
                and targets.wallet_code = wallets.wallet_code
                and (
                    (targets.target_type = 'fee_type' and targets.target_code = 'charge')
                    or (targets.target_type = 'billable_metric' and targets.target_code = buckets.metric_code)
                )
        )

),

taken as (

    select
        earlier.organization_id,
        earlier.external_customer_id,
        earlier.currency,
        earlier.metric_code,
        sum(earlier.used_e10) as used_e10
    from {{ this }} as earlier
    where earlier.round_no < {{ round }}
    group by earlier.organization_id, earlier.external_customer_id, earlier.currency, earlier.metric_code

),

left_over as (

    select
        open_buckets.*,
        open_buckets.size_e10 - coalesce(taken.used_e10, 0) as left_e10
    from open_buckets
    left join taken
        on
            open_buckets.organization_id = taken.organization_id
            and open_buckets.external_customer_id = taken.external_customer_id
            and open_buckets.currency = taken.currency
            and open_buckets.metric_code = taken.metric_code
    where open_buckets.wallet_place = {{ round }}

),

placed as (

    select
        left_over.*,
        sum(left_over.left_e10) over (
            partition by left_over.source_id
            order by left_over.size_e10 desc, {{ binary_order('left_over.metric_code') }}
            rows between unbounded preceding and current row
        ) - left_over.left_e10 as before_e10
    from left_over

)

{# a wallet that is open to nothing still has its row, or the round would look like the end #}
select
    cast({{ round }} as integer) as round_no,
    wallets.organization_id,
    wallets.external_customer_id,
    wallets.source_id,
    wallets.currency,
    placed.metric_code,
    cast(
        case
            when placed.metric_code is null then 0
            when placed.wallet_place = placed.last_wallet_place then placed.left_e10
            else least(
                placed.left_e10, greatest({{ cents_to_e10('placed.balance_cents') }} - placed.before_e10, 0)
            )
        end as decimal(38, 0)
    ) as used_e10
from wallets
left join placed
    on wallets.source_id = placed.source_id
where wallets.wallet_place = {{ round }}
