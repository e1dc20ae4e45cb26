{%- set round = current_round() -%}
{{ config(
    materialized='rounds',
    bound="select max(wallets.wallet_place) from {{ ref('int_wallet_levels') }} as wallets"
) }}

{#
  What of the usage that is not invoiced yet each wallet would have to pay (docs/billing-rules.md, Top-ups by rule): like an
  invoice, wallet by wallet in their order, one a round, the largest metric first; but the last wallet that is open to
  a metric takes what is left of it, more than it holds.
#}
with

buckets as (

    select * from {{ ref('int_unbilled_usage') }}

),

using_customers as (

    select distinct
        buckets.judgement_id,
        buckets.organization_id,
        buckets.external_customer_id,
        buckets.currency
    from buckets

),

wallets as (

    select wallets.*
    from {{ ref('int_wallet_levels') }} as wallets
    inner join using_customers
        on
            wallets.judgement_id = using_customers.judgement_id
            and wallets.organization_id = using_customers.organization_id
            and wallets.external_customer_id = using_customers.external_customer_id
            and wallets.currency = using_customers.currency

),

open_buckets as (

    select
        wallets.source_id,
        wallets.wallet_place,
        wallets.balance_cents,
        buckets.judgement_id,
        buckets.organization_id,
        buckets.external_customer_id,
        buckets.currency,
        buckets.metric_code,
        buckets.size_e10,
        max(wallets.wallet_place) over (
            partition by
                buckets.judgement_id, buckets.organization_id, buckets.external_customer_id, buckets.currency,
                buckets.metric_code
        ) as last_wallet_place
    from wallets
    inner join buckets
        on
            wallets.judgement_id = buckets.judgement_id
            and wallets.organization_id = buckets.organization_id
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
        earlier.judgement_id,
        earlier.organization_id,
        earlier.external_customer_id,
        earlier.currency,
        earlier.metric_code,
        sum(earlier.used_e10) as used_e10
    from {{ this }} as earlier
    where earlier.round_no < {{ round }}
    group by
        earlier.judgement_id, earlier.organization_id, earlier.external_customer_id, earlier.currency,
        earlier.metric_code

),

left_over as (

    select
        open_buckets.*,
        open_buckets.size_e10 - coalesce(taken.used_e10, 0) as left_e10
    from open_buckets
    left join taken
        on
            open_buckets.judgement_id = taken.judgement_id
            and open_buckets.organization_id = taken.organization_id
            and open_buckets.external_customer_id = taken.external_customer_id
            and open_buckets.currency = taken.currency
            and open_buckets.metric_code = taken.metric_code
    where open_buckets.wallet_place = {{ round }}

),

placed as (

    select
        left_over.*,
        sum(left_over.left_e10) over (
            partition by left_over.judgement_id, left_over.source_id
            order by left_over.size_e10 desc, {{ binary_order('left_over.metric_code') }}
            rows between unbounded preceding and current row
        ) - left_over.left_e10 as before_e10
    from left_over

)

{# a wallet that is open to nothing still has its row, or the round would look like the end #}
select
    cast({{ round }} as integer) as round_no,
    wallets.judgement_id,
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
    on
        wallets.judgement_id = placed.judgement_id
        and wallets.source_id = placed.source_id
where wallets.wallet_place = {{ round }}
