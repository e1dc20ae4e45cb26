{#
  What each entry moves, by windows: with X the running sum of credits less what invoices ask for, the balance is X less
  the lowest that X has been (0 at the start), and an invoice takes by what it lowers the balance. Equal to settling one
  invoice after the other. Narrow rows and numbers, since every window sorts them again.
#}
with

summed as (

    select
        entries.chain_no,
        entries.move_order,
        entries.asked_cents,
        entries.credits_e5,
        sum(entries.asked_cents) over (
            partition by entries.chain_no
            order by entries.move_order
            rows between unbounded preceding and current row
        ) as running_cents
    from {{ ref('int_prepaid_entries') }} as entries

),

reflected as (

    select
        summed.*,
        least(
            coalesce(
                min(summed.running_cents) over (
                    partition by summed.chain_no
                    order by summed.move_order
                    rows between unbounded preceding and 1 preceding
                ),
                0
            ),
            0
        ) as lowest_before_cents
    from summed

),

moved as (

    select
        reflected.chain_no,
        reflected.move_order,
        reflected.credits_e5,
        reflected.running_cents - least(reflected.lowest_before_cents, reflected.running_cents) as balance_cents,
        reflected.asked_cents
        + reflected.lowest_before_cents
        - least(reflected.lowest_before_cents, reflected.running_cents) as amount_cents
    from reflected

),

credited as (

    select
        moved.chain_no,
        moved.move_order,
        moved.amount_cents,
        moved.balance_cents,
        case
            when moved.credits_e5 is not null then moved.credits_e5
            when customers.credits_e5_of_cent is not null
                then cast(moved.amount_cents as {{ wide_integer() }}) * customers.credits_e5_of_cent
            else {{ divide_half_away(
                'cast(moved.amount_cents as ' ~ wide_integer() ~ ') * customers.scale_of_product', 'customers.rate_e12'
            ) }}
        end as credits_e5
    from moved
    inner join {{ ref('int_prepaid_customers') }} as customers
        on moved.chain_no = customers.chain_no
    {# an invoice that finds nothing moves nothing #}
    where moved.credits_e5 is not null or moved.amount_cents < 0

)

select
    credited.chain_no,
    credited.move_order,
    cast(credited.amount_cents as bigint) as amount_cents,
    cast(credited.balance_cents as bigint) as balance_cents,
    cast(credited.credits_e5 as decimal(38, 0)) as credits_e5,
    cast(
        sum(credited.credits_e5) over (
            partition by credited.chain_no
            order by credited.move_order
            rows between unbounded preceding and current row
        ) as decimal(38, 0)
    ) as credits_balance_e5
from credited
