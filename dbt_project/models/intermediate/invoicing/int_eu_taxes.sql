{#
  The tax that the rules of the European Union give a customer whose seller leaves it to them, with the dates of issue
  at which its rate is in force: docs/billing-rules.md, EU VAT. A customer with taxes of its own has none here.
#}
with

customers as (

    select customers.*
    from {{ ref('int_customers_resolved') }} as customers
    left join {{ ref('stg_book__customer_taxes') }} as customer_taxes
        on
            customers.organization_id = customer_taxes.organization_id
            and customers.external_customer_id = customer_taxes.external_customer_id
            and customer_taxes.position = 1
    where customers.is_eu_tax_managed and customer_taxes.tax_code is null

),

countries as (

    select * from {{ ref('countries') }}

),

territories as (

    select * from {{ ref('eu_vat_territories') }}

),

rates as (

    select * from {{ ref('eu_vat_rates') }}

),

compared as (

    select
        customers.organization_id,
        customers.external_customer_id,
        customers.country,
        customers.seller_country,
        customers.vat_number_country,
        coalesce(customers.vat_check = 'confirmed', false) as is_vat_confirmed,
        coalesce(customers.vat_number_country, customers.country) as vat_country,
        replace(customers.zipcode, ' ', '') as postcode,
        coalesce(countries.is_eu, false) as is_in_union
    from customers
    left join countries
        on customers.country = countries.country_code

),

{# a territory counts for its own state's postcodes; the seller's territory for a confirmed number of that state #}
placed as (

    select
        compared.*,
        own_territories.territory_name,
        own_territories.rate as territory_rate,
        seller_territories.territory_name as seller_territory_name,
        seller_territories.rate as seller_territory_rate
    from compared
    left join territories as own_territories
        on
            compared.country = own_territories.country_code
            and {{ matches_pattern_of('compared.postcode', 'own_territories.postcode_pattern') }}
            and (not own_territories.is_vat_number_required or compared.vat_number_country is not null)
    left join territories as seller_territories
        on
            compared.seller_country = seller_territories.country_code
            and {{ matches_pattern_of('compared.postcode', 'seller_territories.postcode_pattern') }}

),

decided as (

    select
        placed.organization_id,
        placed.external_customer_id,
        case
            when placed.is_in_union and placed.territory_name is not null then 'territory'
            when
                placed.is_vat_confirmed
                and placed.vat_country = placed.seller_country
                and placed.seller_territory_name is not null
                then 'seller_territory'
            when placed.is_vat_confirmed and placed.vat_country = placed.seller_country then 'standard'
            when placed.is_vat_confirmed then 'reverse_charge'
            when placed.country is null then 'standard'
            when placed.is_in_union then 'standard'
            else 'exempt'
        end as treatment,
        case
            when placed.is_vat_confirmed and placed.vat_country = placed.seller_country then placed.seller_country
            when placed.country is null then placed.seller_country
            else placed.country
        end as standard_country,
        placed.territory_name,
        placed.territory_rate,
        placed.seller_territory_name,
        placed.seller_territory_rate,
        row_number() over (
            partition by placed.organization_id, placed.external_customer_id
            order by
                {{ binary_order('placed.territory_name') }},
                {{ binary_order('placed.seller_territory_name') }}
        ) as choice
    from placed

),

dated as (

    select
        decided.organization_id,
        decided.external_customer_id,
        'eu_' || lower(decided.standard_country) || '_standard' as tax_code,
        'VAT ' || decided.standard_country as tax_name,
        rates.rate as tax_rate,
        rates.valid_from as valid_from_date,
        coalesce(rates.valid_to, cast('9999-12-31' as date)) as valid_to_date
    from decided
    inner join rates
        on decided.standard_country = rates.country_code
    where decided.choice = 1 and decided.treatment = 'standard'

    union all

    select
        decided.organization_id,
        decided.external_customer_id,
        case decided.treatment
            when 'territory' then 'eu_territory'
            when 'seller_territory' then 'eu_territory'
            when 'reverse_charge' then 'eu_reverse_charge'
            else 'eu_tax_exempt'
        end as tax_code,
        case decided.treatment
            when 'territory' then 'VAT ' || decided.territory_name
            when 'seller_territory' then 'VAT ' || decided.seller_territory_name
            when 'reverse_charge' then 'Reverse charge'
            else 'Tax exempt'
        end as tax_name,
        case decided.treatment
            when 'territory' then decided.territory_rate
            when 'seller_territory' then decided.seller_territory_rate
            else 0
        end as tax_rate,
        cast('0001-01-01' as date) as valid_from_date,
        cast('9999-12-31' as date) as valid_to_date
    from decided
    where decided.choice = 1 and decided.treatment <> 'standard'

)

select
    dated.organization_id,
    dated.external_customer_id,
    dated.tax_code,
    dated.tax_name,
    cast(dated.tax_rate as decimal(21, 12)) as tax_rate,
    dated.valid_from_date,
    dated.valid_to_date
from dated
