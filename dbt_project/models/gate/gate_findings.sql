{#
  Rows that fail a check, each with the customer that waits because of it. Here: what a book asks for and cannot be had,
  plans and prices that are missing, and amounts that are unknown, too large or not units x price. Usage and invoices have
  a model each.
#}
with

fees as (

    select * from {{ ref('int_fees_taxed') }}
    where invoice_state <> 'running'

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

asked as (

    select * from {{ ref('int_subscriptions_asked') }}

),

metered_charges as (

    select * from {{ ref('int_metered_charges') }}

),

usage_fees as (

    select * from {{ ref('int_fees_from_usage') }}

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

)

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
    fees.organization_id,
    fees.external_customer_id,
    'amount_out_of_range' as rule,
    'int_standalone_fees' as relation,
    fees.fee_id as row_key,
    'charge ' || fees.fee_code || ': the amount of ' || coalesce(cast(fees.units as varchar), 'its')
    || ' units is unknown or has more than 13 digits before the point' as detail
from standalone_fees as fees
where fees.amount_cents is null

{% for findings in ['gate_usage_findings', 'gate_invoice_findings'] -%}
    union all

    select
        findings.organization_id,
        findings.external_customer_id,
        findings.rule,
        findings.relation,
        findings.row_key,
        findings.detail
    from {{ ref(findings) }} as findings
    {% if not loop.last %}

    {% endif %}
{%- endfor %}
