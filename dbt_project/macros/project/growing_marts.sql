{#
  Marts of what closes finalised are incremental: the ledger only ever gets rows, so a close adds its own and leaves
  those of closes before it as they are. What a later close changes of a row (the void of an invoice, a credit note that
  is set off against it) is deleted by the pre-hook `forget_changed` and made again. `meterhouse close` makes them anew,
  with dbt's `--full-refresh`, when another version of the project made them or a close did not get through them
  (lib/close/_idle.py); `tests/dagster_project/lib/close/test_close.py` compares them with whole ones.
#}

{# The newest close of which the mart has rows; none when it is made anew. #}
{% macro newest_close_of_mart() -%}
    {%- if not is_incremental() -%}{{ return(none) }}{%- endif -%}
    {{ return(run_query('select max(mart.close_id) from ' ~ this ~ ' as mart').rows[0][0]) }}
{%- endmacro %}

{# A condition: the row of `relation` was written by a close of which the mart has no rows. #}
{% macro is_new_to_mart(relation) -%}
    {%- set newest = newest_close_of_mart() -%}
    {%- if newest is none -%}true{%- else -%}{{ relation }}.close_id > {{ newest | int }}{%- endif -%}
{%- endmacro %}

{# A condition: the invoice in `column` is new to the mart, or a close of which the mart has no rows changed it. #}
{% macro is_changed_for_mart(column) -%}
    {#- named outside of any condition, so that dbt learns of them when it reads the model -#}
    {%- set changes = [
        (ref('ledger_invoices'), 'invoice_id'),
        (ref('ledger_invoice_voids'), 'invoice_id'),
        (ref('ledger_invoice_voids'), 'regenerated_invoice_id'),
        (ref('ledger_credit_notes'), 'invoice_id'),
    ] -%}
    {%- if newest_close_of_mart() is none -%}true{%- else -%}
    {{ column }} in (
        {% for relation, invoice in changes -%}
        select changes.{{ invoice }} from {{ relation }} as changes where {{ is_new_to_mart('changes') }}
        {%- if not loop.last %}

        union all

        {% endif -%}
        {%- endfor %}
    )
    {%- endif -%}
{%- endmacro %}

{# Pre-hook: the rows of changed invoices go, in the transaction that makes them again. #}
{% macro forget_changed(column) -%}
    {%- if newest_close_of_mart() is none -%}select 1{%- else -%}
    delete from {{ this }} where {{ is_changed_for_mart(column) }}
    {%- endif -%}
{%- endmacro %}
