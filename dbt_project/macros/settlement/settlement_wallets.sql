{#
  Stage 3: the next wallet pays bucket by bucket, a bucket being the fees of one type and metric, the largest first
  ("Wallets" in docs/billing-rules.md). Reads `fees_noted`, `invoices_noted`,
  `balances`, and the buckets that the round before left where a wallet has paid already. All in 10^-10 cents, rounded
  once per wallet.

    wallet_candidates  one row per invoice and wallet that could pay, in their order
    buckets            one row per invoice and bucket: what it has left
    bucket_uses        one row per bucket that the first wallet may pay, and what it pays of it
    wallet_credits     one row per invoice: whole cents that the wallet pays
    invoices_settled   one row per invoice: where it stands after its stages (next_stage, 9: done)
#}
{% macro settlement_wallets() -%}
wallet_candidates as (

    select
        invoices.chain_id,
        invoices.step_no,
        invoices.invoice_id,
        invoices.rest_cents,
        invoices.stage = 3 as has_buckets,
        case when invoices.stage = 3 then invoices.rest_e10 else {{ cents_to_e10('invoices.rest_cents') }} end
            as left_e10,
        balances.source_id,
        balances.source_order,
        balances.balance_cents,
        count(*) over (partition by invoices.invoice_id) as candidates_count,
        row_number() over (partition by invoices.invoice_id order by balances.source_order) as place
    from invoices_noted as invoices
    inner join balances
        on
            invoices.chain_id = balances.chain_id
            and invoices.step_no = balances.step_no
            and balances.source_type = 'wallet'
            and balances.currency = invoices.currency
            and balances.source_order > invoices.last_wallet_order
    where
        not invoices.has_more_coupons
        and not invoices.has_more_notes
        and invoices.is_discountable
        and invoices.rest_cents > 0
        and balances.balance_cents > 0

),

fee_caps as (

    select
        fees.invoice_id,
        {# what fills a charge up to its minimum is a fee of that charge #}
        case fees.fee_type when 'true_up' then 'charge' else fees.fee_type end as fee_type,
        coalesce(fees.billable_metric_code, '') as metric_code,
        {{ e5_to_e10('fees.sub_e5 - fees.noted_share_e5') }} + fees.precise_taxes_e10 as cap_e10
    from fees_noted as fees
    inner join wallet_candidates as candidates
        on
            fees.invoice_id = candidates.invoice_id
            and candidates.place = 1
            and not candidates.has_buckets
    where fees.sub_e5 <> 0

),

bucket_sizes as (

    select
        fee_caps.invoice_id,
        fee_caps.fee_type,
        fee_caps.metric_code,
        sum(fee_caps.cap_e10) as size_e10,
        row_number() over (
            partition by fee_caps.invoice_id
            order by
                sum(fee_caps.cap_e10) desc, {{ binary_order('fee_caps.fee_type') }},
                {{ binary_order('fee_caps.metric_code') }}
        ) as bucket_order
    from fee_caps
    where fee_caps.cap_e10 > 0
    group by fee_caps.invoice_id, fee_caps.fee_type, fee_caps.metric_code

),

bucket_sums as (

    select
        bucket_sizes.invoice_id,
        sum(bucket_sizes.size_e10) as all_e10,
        count(*) as buckets_count
    from bucket_sizes
    group by bucket_sizes.invoice_id

),

{# what rounding the invoice's taxes left between the buckets and the total goes to the largest #}
buckets as (

    select
        sizes.invoice_id,
        sizes.fee_type,
        sizes.metric_code,
        sizes.bucket_order,
        sizes.size_e10 + case
            when
                sizes.bucket_order = 1
                and candidates.left_e10 > sums.all_e10
                and candidates.left_e10 - sums.all_e10 <= sums.buckets_count * 10000000000
                then candidates.left_e10 - sums.all_e10
            else 0
        end as size_e10
    from bucket_sizes as sizes
    inner join bucket_sums as sums
        on sizes.invoice_id = sums.invoice_id
    inner join wallet_candidates as candidates
        on
            sizes.invoice_id = candidates.invoice_id
            and candidates.place = 1

    union all

    select
        settled.invoice_id,
        settled.row_id as fee_type,
        settled.parent_id as metric_code,
        settled.source_order as bucket_order,
        settled.rest_e10 as size_e10
    from {{ this }} as settled
    inner join wallet_candidates as candidates
        on
            settled.invoice_id = candidates.invoice_id
            and candidates.place = 1
            and candidates.has_buckets
    where settled.row_kind = 'bucket' and settled.round_no = {{ current_round() }} - 1

),

open_buckets as (

    select
        candidates.invoice_id,
        buckets.fee_type,
        buckets.metric_code,
        buckets.size_e10,
        least(candidates.left_e10, {{ cents_to_e10('candidates.balance_cents') }}) as available_e10,
        sum(buckets.size_e10) over (
            partition by candidates.invoice_id
            order by buckets.bucket_order
            rows between unbounded preceding and current row
        ) - buckets.size_e10 as before_e10
    from wallet_candidates as candidates
    inner join {{ ref('int_wallets') }} as wallets
        on candidates.source_id = wallets.source_id
    inner join buckets
        on candidates.invoice_id = buckets.invoice_id
    where
        candidates.place = 1
        and (
            not wallets.is_limited
            or exists (
                select 1
                from {{ ref('stg_book__wallet_targets') }} as targets
                where
                    targets.organization_id = wallets.organization_id
                    and targets.wallet_code = wallets.wallet_code
                    and (
                        (targets.target_type = 'fee_type' and targets.target_code = buckets.fee_type)
                        or (targets.target_type = 'billable_metric' and targets.target_code = buckets.metric_code)
                    )
            )
        )

),

bucket_uses as (

    select
        open_buckets.invoice_id,
        open_buckets.fee_type,
        open_buckets.metric_code,
        least(open_buckets.size_e10, greatest(open_buckets.available_e10 - open_buckets.before_e10, 0)) as used_e10
    from open_buckets

),

wallet_uses as (

    select
        bucket_uses.invoice_id,
        sum(bucket_uses.used_e10) as used_e10
    from bucket_uses
    group by bucket_uses.invoice_id

),

wallet_credits as (

    select
        candidates.chain_id,
        candidates.step_no,
        candidates.invoice_id,
        candidates.source_id,
        candidates.source_order,
        candidates.candidates_count,
        candidates.left_e10 - coalesce(uses.used_e10, 0) as left_e10,
        least(
            cast({{ divide_half_away('coalesce(uses.used_e10, 0)', power_of_ten(10)) }} as bigint),
            candidates.rest_cents
        ) as credit_cents,
        wallets.scale_of_product,
        wallets.rate_e12
    from wallet_candidates as candidates
    inner join {{ ref('int_wallets') }} as wallets
        on candidates.source_id = wallets.source_id
    left join wallet_uses as uses
        on candidates.invoice_id = uses.invoice_id
    where candidates.place = 1

),

invoices_settled as (

    select
        invoices.*,
        credits.source_id as wallet_id,
        coalesce(credits.credit_cents, 0) as wallet_cents,
        coalesce(credits.left_e10, 0) as left_e10,
        case
            when invoices.has_more_coupons then 1
            when invoices.has_more_notes then 2
            when
                credits.candidates_count > 1
                and invoices.rest_cents > credits.credit_cents
                and credits.left_e10 > 0
                then 3
            else 9
        end as next_stage,
        case
            when invoices.has_more_coupons then invoices.coupon_order
            when invoices.has_more_notes then invoices.note_order
            else credits.source_order
        end as next_order
    from invoices_noted as invoices
    left join wallet_credits as credits
        on invoices.invoice_id = credits.invoice_id

)
{%- endmacro %}
