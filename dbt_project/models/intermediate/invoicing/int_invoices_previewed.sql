{{ invoice_totals('running') }}
