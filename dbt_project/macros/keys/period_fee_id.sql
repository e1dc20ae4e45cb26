{#
  The key of a line that is made once more, as the models of int_fees_from_* give it to the line of the period itself:
  what was billed and what is derived again meet by it.
#}
{% macro period_fee_id(period_moment_id, fees) -%}
    case {{ fees }}.fee_type
        when 'charge'
            then {{ surrogate_key([
                period_moment_id, "'charge'", fees ~ '.fee_code', fees ~ '.filter_position',
                'coalesce(' ~ fees ~ ".group_values, '')",
            ]) }}
        when 'true_up' then {{ surrogate_key([period_moment_id, "'true_up'", fees ~ '.fee_code']) }}
        when 'fixed_charge' then {{ surrogate_key([period_moment_id, "'fixed_charge'", fees ~ '.fee_code']) }}
        else {{ surrogate_key([period_moment_id, fees ~ '.fee_type']) }}
    end
{%- endmacro %}
