{# The key of the credit note by which late knowledge of a period takes something off an invoice, one for each invoice. #}
{% macro late_usage_note_id(restatements) -%}
    case
        when {{ restatements }}.credited_moment_id = {{ restatements }}.moment_id
            then {{ surrogate_key(["'late_usage'", restatements ~ '.restated_moment_id']) }}
        else {{ surrogate_key([
            "'late_usage'", restatements ~ '.restated_moment_id', restatements ~ '.credited_moment_id',
        ]) }}
    end
{%- endmacro %}
