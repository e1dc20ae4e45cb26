{#
  A text for ordering in natural order, to be compared byte by byte: runs of digits count as numbers, so that t2 comes
  before t10. Rule: docs/book.md, "Order and ties". Texts that differ only in leading zeros give the same order.
#}
{% macro natural_order(text) -%}
    {{ return(adapter.dispatch('natural_order', 'meterhouse')(text)) }}
{%- endmacro %}

{% macro default__natural_order(text) -%}
    (
        select
            string_agg(
                case
                    when runs.run[1] ~ '^[0-9]'
                        then lpad(cast(length(ltrim(runs.run[1], '0')) as varchar), 3, '0') || ltrim(runs.run[1], '0')
                    else runs.run[1]
                end,
                '' order by runs.position
            )
        from regexp_matches({{ text }}, '[0-9]+|[^0-9]+', 'g') with ordinality as runs (run, position)
    ) collate "C"
{%- endmacro %}

{% macro duckdb__natural_order(text) -%}
    array_to_string(
        list_transform(
            regexp_extract_all({{ text }}, '[0-9]+|[^0-9]+'),
            lambda run: case
                when regexp_matches(run, '^[0-9]')
                    then lpad(cast(length(ltrim(run, '0')) as varchar), 3, '0') || ltrim(run, '0')
                else run
            end
        ),
        ''
    )
{%- endmacro %}
