{#
  A property's text as a quantity: decimal(27,12), or null when it is not of the form optional minus, digits, optional
  point and digits (so `+5`, `1e3`, `.5`, `5.`, blanks and words are no quantities), or has more than 15 digits before
  or 12 after the point. Rule: docs/billing-rules.md, Usage; sizes as in the book's contract.
#}
{% macro parse_quantity(text) -%}
    (case when {{ matches_pattern(text, "^-?0*[0-9]{1,15}([.][0-9]{1,12}0*)?$") }} then cast({{ text }} as decimal(27,12)) end)
{%- endmacro %}
