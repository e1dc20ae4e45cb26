{# Every row is in other marts: a view over them, here and in the copy for readers. #}
{{ config(materialized='view') }}

with

invoices as (

    select
        invoices.*,
        {# one minor unit in the major unit #}
        case invoices.currency_exponent
            when 0 then cast(1 as decimal(5, 4))
            when 2 then cast(0.01 as decimal(5, 4))
            when 3 then cast(0.001 as decimal(5, 4))
            when 4 then cast(0.0001 as decimal(5, 4))
        end as minor_unit
    from {{ ref('fct_invoice') }} as invoices

),

lines as (

    select * from {{ ref('fct_invoice_line') }}

),

periods as (

    select * from {{ ref('fct_subscription_period') }}

),

invoice_periods as (

    {# the subscription columns of a header: null when its invoice bills several subscriptions #}
    select
        periods.invoice_id,
        case when count(*) = 1 then min(periods.moment_id) end as moment_id
    from periods
    group by periods.invoice_id

),

records as (

    select
        lines.close_id,
        lines.invoice_id,
        lines.fee_id as line_item_id,
        lines.line_number as line_item_index,
        'line_item' as record_type,
        lines.moment_id,
        lines.fee_code as product_id,
        lines.fee_name as product_name,
        lines.fee_type as product_type,
        lines.units as quantity,
        lines.unit_price as unit_amount,
        cast(null as bigint) as discount_amount_cents,
        cast(null as bigint) as tax_amount_cents,
        lines.amount_cents as total_amount_cents
    from lines

    union all

    select
        invoices.close_id,
        invoices.invoice_id,
        cast(null as varchar) as line_item_id,
        0 as line_item_index,
        'header' as record_type,
        invoice_periods.moment_id,
        cast(null as varchar) as product_id,
        cast(null as varchar) as product_name,
        cast(null as varchar) as product_type,
        cast(null as decimal(38, 12)) as quantity,
        cast(null as decimal(21, 12)) as unit_amount,
        invoices.progressive_billing_credit_amount_cents
        + invoices.coupons_amount_cents as discount_amount_cents,
        invoices.taxes_amount_cents as tax_amount_cents,
        invoices.total_amount_cents - invoices.fees_amount_cents as total_amount_cents
    from invoices
    left join invoice_periods
        on invoices.invoice_id = invoice_periods.invoice_id

)

select
    records.invoice_id as header_id,
    records.line_item_id,
    records.line_item_index,
    records.record_type,
    invoices.organization_id,
    invoices.invoice_number as header_number,
    invoices.finalized_at as created_at,
    invoices.invoice_status as header_status,
    invoices.invoice_type as billing_type,
    invoices.currency,
    records.product_id,
    records.product_name,
    records.product_type,
    'invoice' as transaction_type,
    records.quantity,
    records.unit_amount,
    cast(records.discount_amount_cents * invoices.minor_unit as decimal(38, 4)) as discount_amount,
    cast(records.tax_amount_cents * invoices.minor_unit as decimal(38, 4)) as tax_amount,
    cast(records.total_amount_cents * invoices.minor_unit as decimal(38, 4)) as total_amount,
    cast(null as varchar) as payment_id,
    cast(null as varchar) as payment_method,
    cast(null as timestamp) as payment_at,
    cast(null as decimal(38, 4)) as fee_amount,
    cast(null as decimal(38, 4)) as refund_amount,
    periods.external_subscription_id as subscription_id,
    periods.plan_code as subscription_plan,
    periods.usage_from_at as subscription_period_started_at,
    periods.usage_to_at as subscription_period_ended_at,
    invoices.external_customer_id as customer_id,
    'customer' as customer_level,
    invoices.customer_name,
    invoices.customer_legal_name as customer_company,
    invoices.customer_email,
    invoices.customer_city,
    invoices.customer_country,
    invoices.close_id
from records
inner join invoices
    on
        records.close_id = invoices.close_id
        and records.invoice_id = invoices.invoice_id
left join periods
    on
        records.close_id = periods.close_id
        and records.moment_id = periods.moment_id
