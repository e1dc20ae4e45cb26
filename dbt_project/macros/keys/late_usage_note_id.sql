{# The key of the credit note by which late knowledge of a period takes something off an invoice, one for each invoice. #}
{% macro late_usage_note_id(credits) -%}
    case
        when {{ credits }}.credited_moment_id = {{ credits }}.moment_id
            then {{ surrogate_key(["'late_usage'", credits ~ '.restated_moment_id']) }}
        else {{ surrogate_key([
            "'late_usage'", credits ~ '.restated_moment_id', credits ~ '.credited_moment_id',
        ]) }}
    end
{%- endmacro %}
