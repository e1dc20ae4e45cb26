{#
  How far each chain gets: each step was settled as if none before it in the round took anything, which holds up to
  the step with which a balance would be overdrawn, or an invoice needs another round. Reads `balances_used`,
  `invoices_settled` and `steps`.

    batches         one row per chain: the last step that holds, and how many the next round may try
    balances_after  one row per step and balance that was used there, and per balance its state at the last step
#}
{% macro settlement_batches() -%}
{# the batch holds up to the step with which a balance would be overdrawn, or an invoice needs another round #}
overdrafts as (

    select
        used.chain_id,
        min(used.step_no) as step_no
    from balances_used as used
    where
        used.is_used
        and case
            when used.is_carried then used.used_cents > used.balance_cents
            else used.used_periods > used.periods_left
        end
    group by used.chain_id

),

unfinished as (

    select
        invoices.chain_id,
        min(invoices.step_no) as step_no
    from invoices_settled as invoices
    where invoices.next_stage <> 9
    group by invoices.chain_id

),

batches as (

    select
        held.chain_id,
        held.last_step_no,
        case
            when held.last_step_no = held.asked_step_no and held.steps_count >= held.batch_size
                then held.batch_size * 8
            when held.last_step_no = held.asked_step_no then held.batch_size
            else 16
        end as batch_size
    from (
        select
            asked.chain_id,
            asked.asked_step_no,
            asked.steps_count,
            asked.batch_size,
            {# the first step always holds #}
            greatest(
                least(
                    asked.asked_step_no,
                    coalesce(overdrafts.step_no - 1, asked.asked_step_no),
                    coalesce(unfinished.step_no, asked.asked_step_no)
                ),
                asked.first_step_no
            ) as last_step_no
        from (
            select
                steps.chain_id,
                min(steps.step_no) as first_step_no,
                max(steps.step_no) as asked_step_no,
                count(*) as steps_count,
                max(steps.batch_size) as batch_size
            from steps
            group by steps.chain_id
        ) as asked
        left join overdrafts
            on asked.chain_id = overdrafts.chain_id
        left join unfinished
            on asked.chain_id = unfinished.chain_id
    ) as held

),

{# what was taken at each step, and the state of every balance at the last #}
balances_after as (

    select
        used.chain_id,
        used.step_no,
        used.source_type,
        used.source_id,
        used.currency,
        used.origin_invoice_id,
        used.source_order,
        used.invoice_id,
        used.move_id,
        used.amount_cents,
        used.taken_credits_e5,
        used.is_ended,
        used.is_carried,
        used.is_begun or used.uses_count > 0 as is_changed,
        used.step_no = batches.last_step_no as is_last,
        case when used.is_carried then used.balance_cents - used.used_cents else used.balance_cents end
            as balance_cents,
        used.credits_e5 - used.used_credits_e5 as credits_e5,
        case
            when used.source_type = 'coupon' and used.is_carried then used.periods_left
            else used.periods_left - used.used_periods
        end as periods_left
    from balances_used as used
    inner join batches
        on
            used.chain_id = batches.chain_id
            and used.step_no <= batches.last_step_no
    where used.is_used or used.step_no = batches.last_step_no

)
{%- endmacro %}
