{# The key of an event of a charge paid in advance: its fee and, when it is invoiced, its billing moment. #}
{% macro advance_event_id(events, charge_code='charge_code') -%}
    {{ surrogate_key([
        events ~ '.organization_id', events ~ '.external_subscription_id', events ~ '.transaction_id',
        "'advance'", events ~ '.' ~ charge_code,
    ]) }}
{%- endmacro %}
