{#
  The voids of the book that no earlier close recorded, with the invoice they mean: one of the ledger or one that this close
  finalises before (docs/billing-rules.md, Voids). What cannot be voided has a refusal, and its customer waits.
#}
with

voids as (

    select
        voids.organization_id,
        'invoice_void' as reference_type,
        voids.invoice_void_id as reference_id,
        voids.voided_at,
        voids.is_regenerated,
        voids.match_external_subscription_id,
        coalesce(payers.payer_external_customer_id, voids.match_external_customer_id) as match_external_customer_id,
        voids.match_issuing_date,
        voids.match_invoice_type,
        coalesce(voids.match_nth, 1) as match_nth,
        close_scope.close_id,
        close_scope.as_of,
        close_scope.known_batch_id
    from {{ ref('stg_book__invoice_voids') }} as voids
    inner join {{ ref('stg_events__close_scope') }} as close_scope
        on
            voids.organization_id = close_scope.organization_id
            and voids.voided_at <= close_scope.as_of
    left join {{ ref('stg_ledger__invoice_voids') }} as recorded
        on
            voids.organization_id = recorded.organization_id
            and voids.invoice_void_id = recorded.invoice_void_id
    left join {{ ref('int_customers_resolved') }} as payers
        on
            voids.organization_id = payers.organization_id
            and voids.match_external_customer_id = payers.external_customer_id
    where recorded.invoice_void_id is null

),

finalized as (

    select * from {{ ref('stg_ledger__invoices') }}

),

dated as (

    select * from {{ ref('int_invoices_dated') }}
    where moment_state = 'due'

),

invoices as (

    select
        finalized.invoice_id,
        finalized.organization_id,
        finalized.external_customer_id,
        finalized.invoice_type,
        finalized.issuing_date,
        finalized.billing_at,
        finalized.finalized_at as finalizes_at,
        finalized.instant_rank,
        finalized.order_key,
        finalized.currency,
        true as is_in_ledger
    from finalized

    union all

    select
        dated.invoice_id,
        dated.organization_id,
        dated.external_customer_id,
        min(dated.invoice_type) as invoice_type,
        min(dated.issuing_date) as issuing_date,
        min(dated.billing_at) as billing_at,
        max(dated.finalizes_at) as finalizes_at,
        min(dated.instant_rank) as instant_rank,
        min({{ invoice_order_key('dated') }}) as order_key,
        min(dated.currency) as currency,
        false as is_in_ledger
    from dated
    group by dated.invoice_id, dated.organization_id, dated.external_customer_id

),

subscriptions as (

    select distinct
        moments.organization_id,
        moments.external_subscription_id,
        moments.invoice_id
    from {{ ref('stg_ledger__moments') }} as moments

    union

    select distinct
        dated.organization_id,
        dated.external_subscription_id,
        dated.invoice_id
    from dated

),

chosen as (

    {{ matched_invoices('voids', 'invoices', 'subscriptions') | indent(4) }}

),

owners as (

    select
        subscriptions.organization_id,
        subscriptions.external_subscription_id,
        min(subscriptions.external_customer_id) as external_customer_id
    from {{ ref('stg_book__subscriptions') }} as subscriptions
    group by subscriptions.organization_id, subscriptions.external_subscription_id

),

recorded as (

    select * from {{ ref('stg_ledger__invoice_voids') }}

),

placed as (

    select
        voids.*,
        chosen.invoice_id,
        chosen.invoice_type,
        chosen.currency,
        chosen.finalizes_at,
        chosen.is_in_ledger,
        coalesce(chosen.external_customer_id, voids.match_external_customer_id, owners.external_customer_id)
            as external_customer_id,
        recorded.invoice_id is not null as is_voided_before,
        coalesce(finalized.invoice_status = 'closed', false) as is_empty,
        row_number() over (
            partition by voids.organization_id, chosen.invoice_id
            order by voids.voided_at, {{ binary_order('voids.reference_id') }}
        ) as void_place
    from voids
    left join chosen
        on
            voids.organization_id = chosen.organization_id
            and voids.reference_id = chosen.reference_id
    left join owners
        on
            voids.organization_id = owners.organization_id
            and voids.match_external_subscription_id = owners.external_subscription_id
    left join recorded
        on chosen.invoice_id = recorded.invoice_id
    left join finalized
        on chosen.invoice_id = finalized.invoice_id

)

select
    placed.organization_id,
    placed.external_customer_id,
    placed.reference_id as invoice_void_id,
    placed.voided_at,
    coalesce(placed.is_regenerated, false) as is_regenerated,
    placed.invoice_id,
    placed.invoice_type,
    placed.currency,
    placed.is_in_ledger,
    case when placed.is_regenerated then {{ surrogate_key(["'regenerated'", 'placed.invoice_id']) }} end
        as regenerated_invoice_id,
    placed.close_id,
    placed.as_of,
    placed.known_batch_id,
    case
        when placed.invoice_id is null
            then 'there is no such finalised invoice (one that a void makes anew is there after the close that makes it:'
                || ' close as of a time before this void first)'
        {# one that this close makes is told by gate_refused_voids #}
        when placed.is_empty then 'the invoice is empty and was never issued'
        when placed.finalizes_at > placed.voided_at then 'the invoice is not finalised at that time'
        when placed.is_voided_before or placed.void_place > 1 then 'the invoice is voided already'
        when placed.invoice_type = 'advance_charges'
            then 'its fees were paid before they were invoiced: credit them instead'
        when placed.invoice_type = 'credit' and placed.is_regenerated
            then 'a purchase of credits is asked for again instead of being regenerated'
    end as refusal
from placed
