{# Double entry: the lines of each document, and so each organisation's journal per currency, debit what they credit. #}
select
    entries.organization_id,
    entries.currency,
    entries.document_type,
    entries.document_id,
    sum(entries.debit_cents) as debit_cents,
    sum(entries.credit_cents) as credit_cents
from {{ ref('fct_journal_entry') }} as entries
group by entries.organization_id, entries.currency, entries.document_type, entries.document_id
having sum(entries.debit_cents) <> sum(entries.credit_cents)
