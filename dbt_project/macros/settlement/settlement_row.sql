{#
  The columns of int_settlement after round_no: name, type, and what stands where a kind of row has nothing to say. Types
  are those of the contract.
#}
{% macro settlement_columns() %}
    {{- return([
        ('chain_id', 'varchar', none),
        ('step_no', 'bigint', none),
        ('row_kind', 'varchar', none),
        ('row_id', 'varchar', none),
        ('parent_id', 'varchar', 'cast(null as varchar)'),
        ('invoice_id', 'varchar', 'cast(null as varchar)'),
        ('stage', 'integer', '9'),
        ('source_order', 'bigint', '0'),
        ('currency', 'varchar', 'cast(null as varchar)'),
        ('origin_invoice_id', 'varchar', 'cast(null as varchar)'),
        ('amount_cents', 'bigint', '0'),
        ('balance_cents', 'bigint', '0'),
        ('periods_left', 'integer', 'cast(null as integer)'),
        ('credits_e5', 'decimal(38, 0)', '0'),
        ('taken_credits_e5', 'decimal(38, 0)', '0'),
        ('coupon_share_e5', 'decimal(38, 0)', '0'),
        ('credit_note_share_e5', 'decimal(38, 0)', '0'),
        ('taxes_amount_cents', 'bigint', 'cast(null as bigint)'),
        ('precise_taxes_e10', 'decimal(38, 0)', '0'),
        ('rest_e10', 'decimal(38, 0)', '0'),
        ('item_e5', 'decimal(38, 0)', '0'),
        ('refund_cents', 'bigint', '0'),
        ('offset_cents', 'bigint', '0'),
        ('refusal', 'varchar', 'cast(null as varchar)'),
        ('is_live', 'boolean', 'false'),
        ('is_changed', 'boolean', 'false'),
        ('batch_size', 'bigint', 'cast(null as bigint)'),
    ]) -}}
{% endmacro %}

{#
  One kind of rows of int_settlement, as a select list: the columns that are given, by name, and nothing in the others.
  chain_id, step_no and row_id are always given.
#}
{% macro settlement_row(row_kind) -%}
    {%- do kwargs.update(row_kind=row_kind) -%}
    {%- for column, type, nothing in settlement_columns() %}
        {{ kwargs.pop(column, nothing) }} as {{ column }}{{ "," if not loop.last }}
    {%- endfor %}
    {%- if kwargs %}
        {%- do exceptions.raise_compiler_error("int_settlement has no column " ~ kwargs | join(", ")) %}
    {%- endif %}
{%- endmacro %}
