{#
  Each open invoice and progressive invoice that it credits, with what is known before settlement: what the progressive
  invoice charged, what earlier closes gave back of it, and the most that the invoice can take.
#}
with

links as (

    select distinct
        links.invoice_id,
        links.moment_state,
        links.organization_id,
        links.external_customer_id,
        links.finalizes_at,
        links.instant_rank,
        links.progressive_invoice_id
    from {{ ref('int_progressive_links') }} as links

),

voids as (

    {{ invoice_voids_known() | indent(4) }}

),

shares as (

    select
        shares.invoice_id,
        shares.progressive_invoice_id,
        cast(sum(shares.amount_cents) as bigint) as limit_cents
    from {{ ref('int_progressive_shares') }} as shares
    group by shares.invoice_id, shares.progressive_invoice_id

),

charged as (

    select
        finalized.invoice_id,
        finalized.fees_amount_cents - finalized.coupons_amount_cents as charged_cents
    from {{ ref('stg_ledger__invoices') }} as finalized

    union all

    select
        ordered.invoice_id,
        ordered.fees_amount_cents as charged_cents
    from {{ ref('int_invoices_ordered') }} as ordered

),

{# what a voided invoice took is there again #}
given as (

    select
        links.invoice_id,
        links.progressive_invoice_id,
        cast(sum(postings.amount_cents) as bigint) as given_cents
    from links
    inner join {{ ref('stg_ledger__postings') }} as postings
        on
            links.progressive_invoice_id = postings.source_id
            and postings.posting_kind = 'progressive_billing_credit'
    left join voids
        on
            postings.invoice_id = voids.invoice_id
            and (
                links.finalizes_at > voids.voided_at
                or (links.finalizes_at = voids.voided_at and links.instant_rank = 9)
            )
    where voids.invoice_id is null
    group by links.invoice_id, links.progressive_invoice_id

),

noted as (

    select
        notes.invoice_id as progressive_invoice_id,
        cast(sum(notes.credit_amount_cents) as bigint) as noted_cents
    from {{ ref('stg_ledger__credit_notes') }} as notes
    group by notes.invoice_id

)

select
    links.invoice_id,
    links.moment_state,
    links.organization_id,
    links.external_customer_id,
    links.progressive_invoice_id,
    {{ surrogate_key(['links.invoice_id', "'progressive_billing'", 'links.progressive_invoice_id']) }}
        as credit_note_id,
    charged.charged_cents - coalesce(given.given_cents, 0) - coalesce(noted.noted_cents, 0) as open_cents,
    coalesce(shares.limit_cents, 0) as limit_cents
from links
inner join charged
    on links.progressive_invoice_id = charged.invoice_id
left join shares
    on
        links.invoice_id = shares.invoice_id
        and links.progressive_invoice_id = shares.progressive_invoice_id
left join given
    on
        links.invoice_id = given.invoice_id
        and links.progressive_invoice_id = given.progressive_invoice_id
left join noted
    on links.progressive_invoice_id = noted.progressive_invoice_id
