{#
  fees - progressive credit - coupons + taxes - credit notes - prepaid credits = total, with both
  subtotals on the way.
#}
select
    invoices.invoice_id,
    invoices.fees_amount_cents,
    invoices.sub_total_excluding_taxes_amount_cents,
    invoices.sub_total_including_taxes_amount_cents,
    invoices.total_amount_cents
from {{ ref('fct_invoice') }} as invoices
where
    invoices.fees_amount_cents
    - invoices.progressive_billing_credit_amount_cents
    - invoices.coupons_amount_cents <> invoices.sub_total_excluding_taxes_amount_cents
    or invoices.sub_total_excluding_taxes_amount_cents
    + invoices.taxes_amount_cents <> invoices.sub_total_including_taxes_amount_cents
    or invoices.sub_total_including_taxes_amount_cents
    - invoices.credit_notes_amount_cents
    - invoices.prepaid_credit_amount_cents <> invoices.total_amount_cents
