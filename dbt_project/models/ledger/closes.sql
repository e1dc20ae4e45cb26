{#
  The commit row. Every other ledger table stands before it in the graph, so it is written last; a close that was killed
  has no row here and does not exist for any reader.
#}
-- depends_on: {{ ref('ledger_fees') }}
-- depends_on: {{ ref('ledger_fee_tiers') }}
-- depends_on: {{ ref('ledger_standalone_fees') }}
-- depends_on: {{ ref('ledger_standalone_fee_taxes') }}
-- depends_on: {{ ref('ledger_postings') }}
-- depends_on: {{ ref('ledger_invoice_taxes') }}
-- depends_on: {{ ref('ledger_parties') }}
-- depends_on: {{ ref('ledger_invoice_voids') }}
-- depends_on: {{ ref('ledger_triggered_alerts') }}
-- depends_on: {{ ref('ledger_wallet_top_ups') }}
-- depends_on: {{ ref('ledger_moments') }}
-- depends_on: {{ ref('ledger_credit_notes') }}
-- depends_on: {{ ref('ledger_credit_note_items') }}
-- depends_on: {{ ref('ledger_restatements') }}
-- depends_on: {{ ref('ledger_wallet_moves') }}
-- depends_on: {{ ref('ledger_balances') }}
-- depends_on: {{ ref('ledger_held_customers') }}
-- depends_on: {{ ref('ledger_moment_fates') }}
-- depends_on: {{ ref('ledger_event_fates') }}
-- depends_on: {{ ref('ledger_unsettled_usage') }}
-- depends_on: {{ ref('ledger_output_hashes') }}
with

close_scope as (

    select * from {{ ref('stg_events__close_scope') }}
    where {{ is_close_open('close_id') }}

),

organizations as (

    select * from {{ ref('ledger_close_organizations') }}

)

select
    close_scope.close_id,
    min(close_scope.started_at) as started_at,
    min(close_scope.book_version) as book_version,
    min(close_scope.code_version) as code_version,
    count(*) as organizations_count,
    cast(sum(organizations.invoices_count) as bigint) as invoices_count,
    cast('{{ target.type }}' as varchar) as engine
from close_scope
inner join organizations
    on
        close_scope.close_id = organizations.close_id
        and close_scope.organization_id = organizations.organization_id
group by close_scope.close_id
