{#
  The programs of custom metrics over the rows of a relation, all rows at once, a step at a time: the body of a
  recursive CTE of the name `running`. What the catalogue says are values in the rows of `steps`, never SQL.

  `begun` has the `carried` columns, program_number, step (the number of the last result that is there), numbers, texts
  and failures (arrays with the results so far: a fixed number, or 1 and 0 for a condition; a text; why there is none)
  and properties. `steps` has program_number, step, operation, left_step, right_step, third_step, number_value (a fixed
  number) and text_value. The rows at which `step` is their program's last hold its result as the last element.

  A failure spreads as a null does, but a branch that is not taken, or a condition that is decided anyhow, does not
  fail.
#}
{% macro run_steps(begun, running, steps, carried) -%}
    {%- set columns = carried + ['program_number'] -%}
    {%- set whole = wide_integer() -%}
    select
        {% for column in columns %}{{ begun }}.{{ column }}, {% endfor -%}
        {{ begun }}.step,
        {{ begun }}.numbers,
        {{ begun }}.texts,
        {{ begun }}.failures,
        {{ begun }}.properties
    from {{ begun }}

    union all

    select
        {% for column in columns %}judged.{{ column }}, {% endfor -%}
        judged.step,
        cast(
            array_append(judged.numbers, case when judged.failure is null then judged.number end) as {{ whole }}[]
        ) as numbers,
        cast(array_append(judged.texts, case when judged.failure is null then judged.text end) as varchar[]) as texts,
        cast(array_append(judged.failures, judged.failure) as varchar[]) as failures,
        judged.properties
    from (
        select
            computed.*,
            cast(
                case
                    when computed.operation = 'choose'
                        then coalesce(computed.fa, case when computed.a = 1 then computed.fb else computed.fc end)
                    when computed.operation = 'coalesce' and computed.fa is null
                        then case when computed.a is null and computed.ta is null then computed.fb end
                    when computed.operation = 'and' and (computed.a = 0 or computed.b = 0) then null
                    when computed.operation = 'or' and (computed.a = 1 or computed.b = 1) then null
                    when computed.fa is not null or computed.fb is not null then coalesce(computed.fa, computed.fb)
                    when computed.operation = 'divide' and computed.a is not null and computed.b = 0
                        then 'division_by_zero'
                    when computed.operation in ('multiply', 'divide')
                        and computed.number is null and computed.a is not null and computed.b is not null
                        then 'overflow'
                    when not {{ fits_fixed('computed.number') }} then 'overflow'
                    {# what is summed is a quantity, so that no sum of them overflows #}
                    when computed.operation = 'sum' and abs(computed.number) >= {{ power_of_ten(27) }} then 'overflow'
                end as varchar
            ) as failure
        from (
            select
                found.*,
                cast(
                    case
                        when found.operation = 'number' then found.number_value
                        when found.operation = 'number_of' then {{ scaled_quantity(parse_quantity('found.ta')) }}
                        when found.operation = 'add' then found.a + found.b
                        when found.operation = 'subtract' then found.a - found.b
                        when found.operation = 'multiply' then {{ multiply_fixed('found.a', 'found.b') }}
                        when found.operation = 'divide' then {{ divide_fixed('found.a', 'found.b') }}
                        when found.operation = 'negate' then -found.a
                        when found.operation = 'abs' then abs(found.a)
                        {% for operation, division in [
                            ('round', divide_half_away('found.a', 'found.rounding_step')),
                            ('ceil', divide_ceiling('found.a', 'found.rounding_step')),
                            ('floor', divide_floor('found.a', 'found.rounding_step')),
                        ] -%}
                            when found.operation = '{{ operation }}' then {{ division }} * found.rounding_step
                        {% endfor -%}
                        when found.operation = 'greatest'
                            then case when found.a >= found.b or found.b is null then found.a else found.b end
                        when found.operation = 'least'
                            then case when found.a <= found.b or found.b is null then found.a else found.b end
                        when found.operation = 'coalesce' then coalesce(found.a, found.b)
                        when found.operation = 'choose' then case when found.a = 1 then found.b else found.c end
                        {% for operation, one, sign, other in [
                            ('equal', 'a', '=', 'b'),
                            ('unequal', 'a', '<>', 'b'),
                            ('less', 'a', '<', 'b'),
                            ('at_most', 'a', '<=', 'b'),
                            ('more', 'a', '>', 'b'),
                            ('at_least', 'a', '>=', 'b'),
                            ('equal_text', 'ta', '=', 'tb'),
                            ('unequal_text', 'ta', '<>', 'tb'),
                        ] -%}
                            when found.operation = '{{ operation }}'
                                then case
                                    when found.{{ one }} {{ sign }} found.{{ other }} then 1
                                    when found.{{ one }} is not null and found.{{ other }} is not null then 0
                                end
                        {% endfor -%}
                        when found.operation = 'and' and (found.a = 0 or found.b = 0) then 0
                        when found.operation = 'and' and found.a = 1 and found.b = 1 then 1
                        when found.operation = 'or' and (found.a = 1 or found.b = 1) then 1
                        when found.operation = 'or' and found.a = 0 and found.b = 0 then 0
                        when found.operation = 'not' then 1 - found.a
                        when found.operation = 'is_null'
                            then case when found.a is null and found.ta is null then 1 else 0 end
                        when found.operation in ('result', 'sum', 'min', 'max', 'count', 'count_distinct') then found.a
                    end as {{ whole }}
                ) as number,
                cast(
                    case
                        when found.operation = 'text' then found.text_value
                        when found.operation = 'property' then {{ json_text('found.properties', 'found.text_value') }}
                        when found.operation = 'concat' then found.ta || found.tb
                        when found.operation = 'coalesce' then coalesce(found.ta, found.tb)
                        when found.operation = 'choose' then case when found.a = 1 then found.tb else found.tc end
                        when found.operation in ('count', 'count_distinct') then found.ta
                    end as varchar
                ) as text
            from (
                select
                    {% for column in columns %}{{ running }}.{{ column }}, {% endfor -%}
                    {{ steps }}.step,
                    {{ steps }}.operation,
                    {{ steps }}.number_value,
                    {{ steps }}.text_value,
                    case
                        when {{ steps }}.operation in ('round', 'ceil', 'floor')
                            then {{ power_of_ten("12 - " ~ divide_integers(steps ~ ".number_value", fixed_one())) }}
                    end as rounding_step,
                    {{ running }}.numbers,
                    {{ running }}.texts,
                    {{ running }}.failures,
                    {{ running }}.properties,
                    {% for name, operand in [('a', 'left_step'), ('b', 'right_step'), ('c', 'third_step')] -%}
                        {{ running }}.numbers[{{ steps }}.{{ operand }}] as {{ name }},
                        {{ running }}.texts[{{ steps }}.{{ operand }}] as t{{ name }},
                        {{ running }}.failures[{{ steps }}.{{ operand }}] as f{{ name }}
                        {%- if not loop.last %},{% endif %}
                    {% endfor %}
                from {{ running }}
                inner join {{ steps }}
                    on
                        {{ running }}.program_number = {{ steps }}.program_number
                        and {{ running }}.step + 1 = {{ steps }}.step
            ) as found
        ) as computed
    ) as judged
{%- endmacro %}
