{# The sha256 of a text's UTF-8 bytes, in hexadecimal. #}
{% macro sha256_text(text) -%}{{ return(adapter.dispatch('sha256_text', 'meterhouse')(text)) }}{%- endmacro %}

{% macro default__sha256_text(text) -%}sha256({{ text }}){%- endmacro %}

{% macro postgres__sha256_text(text) -%}encode(sha256(convert_to({{ text }}, 'UTF8')), 'hex'){%- endmacro %}
