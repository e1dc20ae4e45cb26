{#
  The fates of events that may be late: what came too late for its period, and what is carried into a level from before the
  subscription, which may have come late as well.
#}
{% macro late_fates() -%}
    ('late', 'carried')
{%- endmacro %}
