{# The id of a transaction that a rule of a wallet makes: a rule acts once at an instant. #}
{% macro top_up_id(top_up) -%}
    {{ surrogate_key([
        top_up ~ '.organization_id', top_up ~ '.wallet_code', top_up ~ '.rule_position', top_up ~ '.topped_up_at',
        top_up ~ '.transaction_kind',
    ]) }}
{%- endmacro %}
