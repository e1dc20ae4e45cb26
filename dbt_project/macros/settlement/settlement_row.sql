{#
  One kind of rows of int_settlement, as a select list: the columns that are given, by name, and nothing in the
  others. chain_id, step_no and row_id are always given. Types are those of the contract.
#}
{% macro settlement_row(row_kind) -%}
    {%- set columns = [
        ('chain_id', 'varchar', none),
        ('step_no', 'bigint', none),
        ('row_kind', 'varchar', row_kind),
        ('row_id', 'varchar', none),
        ('parent_id', 'varchar', 'null'),
        ('invoice_id', 'varchar', 'null'),
        ('stage', 'integer', '9'),
        ('source_order', 'bigint', '0'),
        ('currency', 'varchar', 'null'),
        ('origin_invoice_id', 'varchar', 'null'),
        ('amount_cents', 'bigint', '0'),
        ('balance_cents', 'bigint', '0'),
        ('periods_left', 'integer', 'null'),
        ('credits_e5', 'decimal(38, 0)', '0'),
        ('taken_credits_e5', 'decimal(38, 0)', '0'),
        ('coupon_share_e5', 'decimal(38, 0)', '0'),
        ('credit_note_share_e5', 'decimal(38, 0)', '0'),
        ('taxes_amount_cents', 'bigint', 'null'),
        ('precise_taxes_e10', 'decimal(38, 0)', '0'),
        ('rest_e10', 'decimal(38, 0)', '0'),
        ('item_e5', 'decimal(38, 0)', '0'),
        ('refund_cents', 'bigint', '0'),
        ('offset_cents', 'bigint', '0'),
        ('refusal', 'varchar', 'null'),
        ('is_live', 'boolean', 'false'),
        ('is_changed', 'boolean', 'false'),
        ('batch_size', 'bigint', 'null'),
    ] -%}
    {%- for column, type, nothing in columns %}
        cast({{ kwargs.pop(column, nothing) }} as {{ type }}) as {{ column }}{{ "," if not loop.last }}
    {%- endfor %}
    {%- if kwargs %}
        {%- do exceptions.raise_compiler_error("int_settlement has no column " ~ kwargs | join(", ")) %}
    {%- endif %}
{%- endmacro %}
