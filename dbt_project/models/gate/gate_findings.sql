with

fees as (

    select * from {{ ref('int_fees_taxed') }}
    where invoice_state <> 'running'

),

fee_sums as (

    select
        fees.invoice_id,
        cast(sum(fees.amount_cents) as bigint) as fees_amount_cents
    from fees
    group by fees.invoice_id

),

invoices as (

    select * from {{ ref('int_invoices_totalled') }}

),

standalone_fees as (

    select * from {{ ref('int_standalone_fees') }}

),

moments as (

    select * from {{ ref('int_billing_moments') }}
    where moment_state = 'due'

),

plan_fees as (

    select * from {{ ref('int_fees_from_plans') }}

),

started as (

    select * from {{ ref('int_subscriptions_started') }}

),

asked as (

    select * from {{ ref('int_subscriptions_asked') }}

),

metered_charges as (

    select * from {{ ref('int_metered_charges') }}

),

fee_taxes as (

    select * from {{ ref('int_fee_taxes') }}

),

tax_lines as (

    select
        taxes.invoice_id,
        cast(sum(taxes.tax_amount_cents) as bigint) as tax_amount_cents,
        count(*) as lines_count
    from {{ ref('int_invoices_taxed') }} as taxes
    group by taxes.invoice_id

),

{# only files with such an event are looked at again #}
keyless_files as (

    select distinct events_counted.file_id
    from {{ ref('gate_events_counted') }} as events_counted
    where events_counted.keyed_events_count <> events_counted.events_count

),

subscribers as (

    select
        started.organization_id,
        started.external_subscription_id,
        min(started.external_customer_id) as external_customer_id
    from started
    group by started.organization_id, started.external_subscription_id

),

missing_sources as (

    select
        completeness.organization_id,
        completeness.expected_source,
        completeness.from_at,
        completeness.completeness_state,
        row_number() over (
            partition by completeness.organization_id
            order by completeness.from_at, {{ binary_order('completeness.expected_source') }}
        ) as source_position
    from {{ ref('gate_source_completeness') }} as completeness
    inner join {{ ref('stg_events__close_scope') }} as close_scope
        on completeness.organization_id = close_scope.organization_id
    where completeness.completeness_state <> 'landed' and close_scope.override_reason is null

),

{# from here on a source of the organisation has not landed: the first one by time and name #}
incomplete_sources as (

    select * from missing_sources
    where source_position = 1

),

{# customers with usage to be billed of a time for which a source is missing #}
waiting_customers as (

    select
        metered_charges.organization_id,
        metered_charges.external_customer_id,
        incomplete_sources.expected_source,
        incomplete_sources.from_at,
        incomplete_sources.completeness_state
    from metered_charges
    inner join incomplete_sources
        on
            metered_charges.organization_id = incomplete_sources.organization_id
            and metered_charges.usage_to_at > incomplete_sources.from_at
    where metered_charges.moment_state = 'due' and metered_charges.usage_from_at < metered_charges.usage_to_at
    group by
        metered_charges.organization_id,
        metered_charges.external_customer_id,
        incomplete_sources.expected_source,
        incomplete_sources.from_at,
        incomplete_sources.completeness_state

),

keyless_events as (

    select
        usage_events.*,
        subscribers.external_customer_id
    from {{ ref('stg_events__usage_events') }} as usage_events
    inner join keyless_files
        on usage_events.file_id = keyless_files.file_id
    inner join subscribers
        on
            usage_events.organization_id = subscribers.organization_id
            and usage_events.external_subscription_id = subscribers.external_subscription_id
    inner join {{ ref('stg_events__close_scope') }} as close_scope
        on
            usage_events.organization_id = close_scope.organization_id
            and usage_events.batch_id <= close_scope.known_batch_id
    where
        coalesce(usage_events.transaction_id, '') = ''
        or coalesce(usage_events.code, '') = ''
        or usage_events.event_at is null

),

usage_fees as (

    select * from {{ ref('int_fees_from_usage') }}

),

counted_usage as (

    select
        metered_charges.organization_id,
        metered_charges.external_customer_id,
        metered_charges.moment_id,
        metered_charges.charge_code,
        cast(sum(usage.events_count) as bigint) as events_count
    from metered_charges
    inner join {{ ref('int_usage_aggregated') }} as usage
        on
            metered_charges.moment_id = usage.moment_id
            and metered_charges.charge_code = usage.charge_code
    where
        metered_charges.moment_state = 'due'
        and usage.events_count > 0
        and not metered_charges.is_pay_in_advance
        and not metered_charges.is_carried_over
    group by
        metered_charges.organization_id,
        metered_charges.external_customer_id,
        metered_charges.moment_id,
        metered_charges.charge_code

),

refused_notes as (

    select
        requests.organization_id,
        requests.external_customer_id,
        coalesce(requests.credit_note_code, requests.credit_note_id) as credit_note_code,
        settled.refusal
    from {{ ref('int_settlement') }} as settled
    inner join {{ ref('int_credit_note_requests') }} as requests
        on settled.row_id = requests.credit_note_id
    where settled.row_kind = 'issue' and settled.refusal is not null

),

owners as (

    select
        subscriptions.organization_id,
        subscriptions.external_subscription_id,
        min(subscriptions.external_customer_id) as external_customer_id
    from {{ ref('stg_book__subscriptions') }} as subscriptions
    group by subscriptions.organization_id, subscriptions.external_subscription_id

),

{# a credit note whose invoice does not exist waits with the customer that it names, by itself or by a subscription #}
lost_notes as (

    select
        credit_notes.organization_id,
        credit_notes.credit_note_code,
        coalesce(credit_notes.match_external_customer_id, owners.external_customer_id) as external_customer_id
    from {{ ref('int_invoice_references') }} as note_references
    inner join {{ ref('stg_book__credit_notes') }} as credit_notes
        on
            note_references.organization_id = credit_notes.organization_id
            and note_references.reference_id = credit_notes.credit_note_code
    left join owners
        on
            credit_notes.organization_id = owners.organization_id
            and credit_notes.match_external_subscription_id = owners.external_subscription_id
    where note_references.reference_type = 'credit_note' and note_references.invoice_id is null

),

{# while the register's answer is missing, what would be finalised waits: docs/billing-rules.md, EU VAT #}
unanswered_customers as (

    select distinct
        customers.organization_id,
        customers.external_customer_id,
        customers.tax_identification_number
    from {{ ref('int_customers_resolved') }} as customers
    inner join {{ ref('int_invoices_ordered') }} as ordered
        on
            customers.organization_id = ordered.organization_id
            and customers.external_customer_id = ordered.external_customer_id
            and ordered.invoice_state = 'due'
    left join {{ ref('stg_book__customer_taxes') }} as customer_taxes
        on
            customers.organization_id = customer_taxes.organization_id
            and customers.external_customer_id = customer_taxes.external_customer_id
    where customers.is_eu_tax_managed and customers.vat_check = 'pending' and customer_taxes.tax_code is null

),

{# one row per metric and event code, however many versions read the code #}
metric_codes as (

    select distinct
        metric_versions.organization_id,
        metric_versions.billable_metric_code,
        metric_versions.event_code
    from {{ ref('int_metric_versions') }} as metric_versions

),

{# events that a charge of the plan bills by some version of its metric, but by none in force when the period began #}
unmetered_usage as (

    select
        moments.organization_id,
        moments.external_customer_id,
        moments.moment_id,
        charges.charge_code,
        cast(sum(fates.events_count) as bigint) as events_count
    from {{ ref('int_event_fates') }} as fates
    inner join moments
        on fates.moment_id = moments.moment_id
    inner join {{ ref('int_plan_versions') }} as plan_versions
        on
            moments.organization_id = plan_versions.organization_id
            and moments.plan_code = plan_versions.plan_code
            and moments.full_started_at >= plan_versions.valid_from_at
            and moments.full_started_at < plan_versions.valid_to_at
    inner join {{ ref('stg_book__charges') }} as charges
        on
            plan_versions.organization_id = charges.organization_id
            and plan_versions.plan_code = charges.plan_code
            and plan_versions.effective_at = charges.effective_at
    inner join metric_codes
        on
            charges.organization_id = metric_codes.organization_id
            and charges.billable_metric_code = metric_codes.billable_metric_code
            and fates.code = metric_codes.event_code
    left join metered_charges
        on
            moments.moment_id = metered_charges.moment_id
            and charges.charge_code = metered_charges.charge_code
    where fates.fate = 'no_charge' and metered_charges.moment_id is null
    group by
        moments.organization_id,
        moments.external_customer_id,
        moments.moment_id,
        charges.charge_code

),

findings as (

    select
        refused_notes.organization_id,
        refused_notes.external_customer_id,
        'credit_note_refused' as rule,
        'int_settlement' as relation,
        refused_notes.credit_note_code as row_key,
        'credit note ' || refused_notes.credit_note_code || ': ' || refused_notes.refusal as detail
    from refused_notes

    union all

    select
        lost_notes.organization_id,
        lost_notes.external_customer_id,
        'credit_note_refused' as rule,
        'int_invoice_references' as relation,
        lost_notes.credit_note_code as row_key,
        'credit note ' || lost_notes.credit_note_code || ': there is no such invoice' as detail
    from lost_notes
    where lost_notes.external_customer_id is not null

    union all

    select
        refused_voids.organization_id,
        refused_voids.external_customer_id,
        'invoice_void_refused' as rule,
        'gate_refused_voids' as relation,
        refused_voids.invoice_void_id as row_key,
        'the void of ' || cast(refused_voids.voided_at as varchar) || ': ' || refused_voids.refusal as detail
    from {{ ref('gate_refused_voids') }} as refused_voids

    union all

    select
        unanswered_customers.organization_id,
        unanswered_customers.external_customer_id,
        'vat_check_pending' as rule,
        'int_customers_resolved' as relation,
        unanswered_customers.external_customer_id as row_key,
        'the register has not answered for VAT number '
        || coalesce(unanswered_customers.tax_identification_number, '(none)') as detail
    from unanswered_customers

    union all

    select
        asked.organization_id,
        asked.external_customer_id,
        'plan_not_in_force' as rule,
        'stg_book__subscriptions' as relation,
        asked.external_subscription_id as row_key,
        'no version of plan ' || asked.plan_code || ' is in force when the subscription starts' as detail
    from asked
    where asked.plan_interval is null

    union all

    select
        moments.organization_id,
        moments.external_customer_id,
        'plan_not_in_force' as rule,
        'int_billing_moments' as relation,
        moments.moment_id as row_key,
        'no version of plan ' || moments.plan_code || ' or no known currency for the period from '
        || cast(moments.full_from_date as varchar) as detail
    from moments
    left join plan_fees
        on moments.moment_id = plan_fees.moment_id
    where
        moments.plan_effective_at is null
        or (moments.has_plan_fee and (plan_fees.moment_id is null or plan_fees.currency_exponent is null))

    union all

    select
        metered_charges.organization_id,
        metered_charges.external_customer_id,
        'charge_without_price' as rule,
        'int_metered_charges' as relation,
        metered_charges.moment_id || ' ' || metered_charges.charge_code as row_key,
        'charge ' || metered_charges.charge_code || ' has no price' as detail
    from metered_charges
    inner join {{ ref('int_charge_buckets') }} as buckets
        on
            metered_charges.organization_id = buckets.organization_id
            and metered_charges.plan_code = buckets.plan_code
            and metered_charges.plan_effective_at = buckets.plan_effective_at
            and metered_charges.charge_code = buckets.charge_code
    where
        metered_charges.moment_state = 'due'
        and metered_charges.charge_model = 'standard'
        and buckets.unit_price is null

    union all

    select
        fees.organization_id,
        fees.external_customer_id,
        'amount_out_of_range' as rule,
        'int_fees_taxed' as relation,
        fees.fee_id as row_key,
        fees.fee_type || ' ' || fees.fee_code || ': the amount of ' || coalesce(cast(fees.units as varchar), 'its')
        || ' units is unknown or has more than 13 digits before the point' as detail
    from fees
    where fees.amount_cents is null

    union all

    select
        transactions.organization_id,
        transactions.external_customer_id,
        'amount_out_of_range' as rule,
        'int_wallet_transactions' as relation,
        transactions.wallet_transaction_id as row_key,
        'wallet ' || transactions.wallet_code || ': the credits of transaction ' || transactions.wallet_transaction_id
        || ' are worth more than 15 digits of minor units' as detail
    from {{ ref('int_wallet_transactions') }} as transactions
    where transactions.amount_cents is null

    union all

    select
        metered_charges.organization_id,
        metered_charges.external_customer_id,
        'custom_metric_without_value' as rule,
        'int_usage_custom' as relation,
        usage_custom.moment_id || ' ' || usage_custom.charge_code || ' '
        || cast(usage_custom.filter_position as varchar) || ' ' || usage_custom.group_values as row_key,
        'charge ' || metered_charges.charge_code || ': the expressions of metric '
        || metered_charges.billable_metric_code || ' have no value (' || usage_custom.failure || ')' as detail
    from {{ ref('int_usage_custom') }} as usage_custom
    inner join metered_charges
        on
            usage_custom.moment_id = metered_charges.moment_id
            and usage_custom.charge_code = metered_charges.charge_code
    where metered_charges.moment_state = 'due' and usage_custom.failure is not null

    union all

    {# units x price again, by another way: rounded from the product in the engine's own decimals #}
    select
        fees.organization_id,
        fees.external_customer_id,
        'units_times_price' as rule,
        'int_fees_taxed' as relation,
        fees.fee_id as row_key,
        'charge ' || fees.fee_code || ': ' || cast(usage_fees.priced_units as varchar) || ' x '
        || cast(fees.unit_price as varchar) || ' is not ' || cast(fees.amount_cents as varchar) || ' '
        || fees.currency || ' minor units' as detail
    from fees
    inner join usage_fees
        on fees.fee_id = usage_fees.fee_id
    where
        usage_fees.charge_model = 'standard'
        and usage_fees.priced_units_rest = 0
        and usage_fees.applied_pricing_unit_code is null
        and case
            {# what is too large has no amount, and no product #}
            when fees.amount_cents is not null
                then fees.amount_cents <> {{ round_to_minor_units(
                    'cast(usage_fees.priced_units * fees.unit_price as decimal(38,24))', 'fees.currency_exponent'
                ) }}
        end

    union all

    select
        invoices.organization_id,
        invoices.external_customer_id,
        'tax_not_in_force' as rule,
        'int_fee_taxes' as relation,
        fee_taxes.fee_id || ' ' || fee_taxes.tax_code as row_key,
        'tax ' || fee_taxes.tax_code || ' is not in force on ' || cast(invoices.issuing_date as varchar) as detail
    from fee_taxes
    inner join invoices
        on fee_taxes.invoice_id = invoices.invoice_id
    where fee_taxes.tax_rate is null

    union all

    select
        fees.organization_id,
        fees.external_customer_id,
        'tax_not_in_force' as rule,
        'int_standalone_fee_taxes' as relation,
        fee_taxes.fee_id || ' ' || fee_taxes.tax_code as row_key,
        'tax ' || fee_taxes.tax_code || ' is not in force on ' || cast(fees.billing_date as varchar) as detail
    from {{ ref('int_standalone_fee_taxes') }} as fee_taxes
    inner join standalone_fees as fees
        on fee_taxes.fee_id = fees.fee_id
    where fee_taxes.tax_rate is null

    union all

    select
        fees.organization_id,
        fees.external_customer_id,
        'amount_out_of_range' as rule,
        'int_standalone_fees' as relation,
        fees.fee_id as row_key,
        'charge ' || fees.fee_code || ': the amount of ' || coalesce(cast(fees.units as varchar), 'its')
        || ' units is unknown or has more than 13 digits before the point' as detail
    from standalone_fees as fees
    where fees.amount_cents is null

    union all

    select
        invoices.organization_id,
        invoices.external_customer_id,
        'lines_equal_totals' as rule,
        'int_invoices_totalled' as relation,
        invoices.invoice_id as row_key,
        'the fees of the invoice add up to ' || coalesce(cast(fee_sums.fees_amount_cents as varchar), 'nothing')
        || ', its total says ' || cast(invoices.fees_amount_cents as varchar) as detail
    from invoices
    left join fee_sums
        on invoices.invoice_id = fee_sums.invoice_id
    where coalesce(fee_sums.fees_amount_cents, 0) <> invoices.fees_amount_cents

    union all

    {# each tax line is rounded by itself, so the lines may differ from the total by half a cent a line #}
    select
        invoices.organization_id,
        invoices.external_customer_id,
        'taxes_equal_lines' as rule,
        'int_invoices_taxed' as relation,
        invoices.invoice_id as row_key,
        'the tax lines add up to ' || cast(tax_lines.tax_amount_cents as varchar) || ', the total says '
        || cast(invoices.taxes_amount_cents as varchar) as detail
    from invoices
    inner join tax_lines
        on invoices.invoice_id = tax_lines.invoice_id
    where abs(invoices.taxes_amount_cents - tax_lines.tax_amount_cents) * 2 > tax_lines.lines_count

    union all

    select
        invoices.organization_id,
        invoices.external_customer_id,
        'no_negative_total' as rule,
        'int_invoices_totalled' as relation,
        invoices.invoice_id as row_key,
        'the total is ' || cast(invoices.total_amount_cents as varchar) as detail
    from invoices
    where invoices.total_amount_cents < 0

    union all

    select
        waiting_customers.organization_id,
        waiting_customers.external_customer_id,
        'source_incomplete' as rule,
        'gate_source_completeness' as relation,
        waiting_customers.expected_source || ' ' || cast(waiting_customers.from_at as varchar) as row_key,
        'the source ' || waiting_customers.expected_source || ' is ' || waiting_customers.completeness_state
        || ' for the time from ' || cast(waiting_customers.from_at as varchar) as detail
    from waiting_customers

    union all

    select
        keyless_events.organization_id,
        keyless_events.external_customer_id,
        'event_null_key' as rule,
        'stg_events__usage_events' as relation,
        'file ' || cast(keyless_events.file_id as varchar)
        || ' line ' || cast(keyless_events.line_number as varchar) as row_key,
        'an event of subscription ' || keyless_events.external_subscription_id
        || ' has no transaction_id, no code or no time' as detail
    from keyless_events

    union all

    select
        invoices.organization_id,
        invoices.external_customer_id,
        'invoice_null_key' as rule,
        'int_invoices_totalled' as relation,
        invoices.invoice_id as row_key,
        'the invoice has no currency, no date, no number prefix or no total' as detail
    from invoices
    where
        invoices.currency is null
        or invoices.issuing_date is null
        or invoices.payment_due_date is null
        or invoices.document_number_prefix is null
        or invoices.total_amount_cents is null

    union all

    select
        fees.organization_id,
        fees.external_customer_id,
        'invoice_null_key' as rule,
        'int_fees_taxed' as relation,
        fees.fee_id as row_key,
        'the line ' || coalesce(fees.fee_name, fees.fee_code, fees.fee_type)
        || ' has no code, no currency or no units' as detail
    from fees
    where fees.fee_code is null or fees.currency is null or fees.units is null

    union all

    select
        counted_usage.organization_id,
        counted_usage.external_customer_id,
        'unpriced_usage' as rule,
        'int_usage_aggregated' as relation,
        counted_usage.moment_id || ' ' || counted_usage.charge_code as row_key,
        'charge ' || counted_usage.charge_code || ' counts '
        || cast(counted_usage.events_count as varchar) || ' events that are on no line of an invoice' as detail
    from counted_usage
    left join usage_fees
        on
            counted_usage.moment_id = usage_fees.moment_id
            and counted_usage.charge_code = usage_fees.fee_code
    where usage_fees.fee_id is null

    union all

    select
        unmetered_usage.organization_id,
        unmetered_usage.external_customer_id,
        'unpriced_usage' as rule,
        'int_event_fates' as relation,
        unmetered_usage.moment_id || ' ' || unmetered_usage.charge_code as row_key,
        cast(unmetered_usage.events_count as varchar) || ' events of charge '
        || unmetered_usage.charge_code
        || ' have no price: no version of its metric was in force when the period began' as detail
    from unmetered_usage

)

select
    findings.organization_id,
    findings.external_customer_id,
    findings.rule,
    findings.relation,
    findings.row_key,
    findings.detail
from findings
