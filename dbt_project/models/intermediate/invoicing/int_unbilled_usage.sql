{#
  Usage that is not invoiced yet, with tax and less what progressive invoices took, by metric: at the end of the close
  ('now': the running period and drafts), and at each other instant of int_wallet_levels.
#}
with

customers as (

    select * from {{ ref('int_customers_resolved') }}

),

judgements as (

    select distinct
        levels.judgement_id,
        levels.judged_at,
        levels.instant_rank,
        levels.organization_id,
        levels.external_customer_id
    from {{ ref('int_wallet_levels') }} as levels
    where levels.judged_at is not null

),

windows as (

    select
        windows.window_id,
        windows.period_id,
        windows.period_moment_id,
        windows.window_at,
        windows.organization_id,
        customers.payer_external_customer_id as external_customer_id,
        {# what is not finalised in this close is still open at its end #}
        case
            when moments.moment_state in ('due', 'skipped') then moments.finalizes_at
            else {{ end_of_time() }}
        end as invoiced_at
    from {{ ref('int_usage_windows') }} as windows
    inner join {{ ref('int_billing_moments') }} as moments
        on windows.period_moment_id = moments.moment_id
    inner join customers
        on
            moments.organization_id = customers.organization_id
            and moments.external_customer_id = customers.external_customer_id

),

{# crossings of thresholds carry the id of their window #}
progressive as (

    select progressive.moment_id
    from {{ ref('int_progressive_moments') }} as progressive

    union

    select ledger_moments.moment_id
    from {{ ref('stg_ledger__moments') }} as ledger_moments
    where ledger_moments.reason = 'progressive_billing'

),

{# the period so far: the last instant at which its usage was looked at, and the last progressive invoice of it #}
reached as (

    select
        judgements.judgement_id,
        windows.period_id,
        max(windows.window_at) as window_at,
        max(
            case
                when
                    progressive.moment_id is not null
                    and (judgements.instant_rank > 6 or windows.window_at < judgements.judged_at)
                    then windows.window_at
            end
        ) as progressive_at
    from judgements
    inner join windows
        on
            judgements.organization_id = windows.organization_id
            and judgements.external_customer_id = windows.external_customer_id
            and windows.window_at <= judgements.judged_at
            {# an invoice of the same instant comes after the facts of wallets, and before thresholds are looked at #}
            and (
                judgements.judged_at < windows.invoiced_at
                or (judgements.judged_at = windows.invoiced_at and judgements.instant_rank = 2)
            )
    left join progressive
        on windows.window_id = progressive.moment_id
    group by judgements.judgement_id, windows.period_id

),

rates as (

    select
        priced.moment_id,
        priced.fee_code,
        max(priced.taxes_rate) as taxes_rate
    from {{ ref('int_fees_priced') }} as priced
    where priced.fee_type = 'charge'
    group by priced.moment_id, priced.fee_code

),

usage_fees as (

    select
        usage_fees.*,
        {{ decimal_to_e10('coalesce(usage_fees.precise_amount_cents, 0)') }} as precise_e10
    from {{ ref('int_fees_from_usage') }} as usage_fees
    inner join windows
        on usage_fees.moment_id = windows.window_id

),

open_fees as (

    select
        reached.judgement_id,
        usage_fees.currency,
        usage_fees.billable_metric_code,
        usage_fees.precise_e10,
        coalesce(usage_fees.amount_cents, 0) as amount_cents,
        least(coalesce(taken.amount_cents, 0), coalesce(usage_fees.amount_cents, 0)) as taken_cents,
        cast(coalesce(rates.taxes_rate, 0) as decimal(21, 12)) as taxes_rate
    from reached
    inner join windows
        on
            reached.period_id = windows.period_id
            and reached.window_at = windows.window_at
    inner join usage_fees
        on windows.window_id = usage_fees.moment_id
    left join rates
        on
            windows.period_moment_id = rates.moment_id
            and usage_fees.fee_code = rates.fee_code
    left join windows as progressive_windows
        on
            reached.period_id = progressive_windows.period_id
            and reached.progressive_at = progressive_windows.window_at
            and windows.period_moment_id = progressive_windows.period_moment_id
    left join usage_fees as taken
        on
            progressive_windows.window_id = taken.moment_id
            and usage_fees.fee_code = taken.fee_code
            and usage_fees.filter_position = taken.filter_position
            and coalesce(usage_fees.group_values, '') = coalesce(taken.group_values, '')

),

dues as (

    select
        'now' as judgement_id,
        fees.organization_id,
        invoices.external_customer_id,
        invoices.currency,
        coalesce(fees.billable_metric_code, '') as metric_code,
        {{ e5_to_e10('fees.sub_e5') }} + {{ decimal_to_e10('fees.precise_taxes_amount_cents') }} as due_e10
    from {{ ref('int_fees_taxed') }} as fees
    inner join {{ ref('int_invoices_ordered') }} as invoices
        on fees.invoice_id = invoices.invoice_id
    where fees.fee_type = 'charge' and invoices.invoice_state <> 'due'

    union all

    select
        judgements.judgement_id,
        judgements.organization_id,
        judgements.external_customer_id,
        open_fees.currency,
        coalesce(open_fees.billable_metric_code, '') as metric_code,
        {{ cents_to_e10('(open_fees.amount_cents - open_fees.taken_cents)') }} + {{ signed_percent_of(
            '(open_fees.precise_e10 - ' ~ cents_to_e10('open_fees.taken_cents') ~ ')', 'open_fees.taxes_rate'
        ) }} as due_e10
    from open_fees
    inner join judgements
        on open_fees.judgement_id = judgements.judgement_id

)

select
    dues.judgement_id,
    dues.organization_id,
    dues.external_customer_id,
    dues.currency,
    dues.metric_code,
    cast(sum(dues.due_e10) as decimal(38, 0)) as size_e10
from dues
group by dues.judgement_id, dues.organization_id, dues.external_customer_id, dues.currency, dues.metric_code
having sum(dues.due_e10) > 0
