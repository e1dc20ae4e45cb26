{#
  Materialisation `rounds`: a table that is filled round by round from its own earlier rows (settlement of balances).

  The model's SQL reads `this` (what earlier rounds posted) and `current_round()`; it is run with round 1, 2, … until a
  round adds nothing. The table is built beside the old one and swapped in at the end, all in one transaction, so a
  failure leaves the old table as it was. Its columns are the enforced contract.

  The config `bound` is a query for the most rounds that the data can need, rendered when the model runs: passing it
  means a fault of the model, never a large customer. Where it says none, the model's SQL is not even planned.
#}
{% macro current_round() -%}
    /*<round>*/ {{ var('round', 1) }} /*</round>*/
{%- endmacro %}

{% materialization rounds, default %}

    {%- set existing_relation = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set work_relation = make_intermediate_relation(target_relation) -%}
    {%- set backup_relation = make_backup_relation(target_relation, existing_relation.type or 'table') -%}
    {%- if config.get('bound') is none -%}
        {% do exceptions.raise_compiler_error(this ~ ": a model of rounds needs a bound: a query for the most rounds") %}
    {%- endif -%}
    {%- if not config.get('contract').enforced -%}
        {% do exceptions.raise_compiler_error(this ~ ": a model of rounds needs an enforced contract; its columns are the table") %}
    {%- endif -%}

    {{ drop_relation_if_exists(load_cached_relation(work_relation)) }}
    {{ drop_relation_if_exists(load_cached_relation(backup_relation)) }}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% call statement('create') -%}
        create table {{ work_relation }} {{ get_table_columns_and_constraints() }}
    {%- endcall %}
    {% do index_rounds(work_relation) %}
    {%- set max_rounds = run_query(render(config.get('bound'))).rows[0][0] | default(0, true) | int -%}
    {%- set body = compiled_code | replace(this | string, work_relation | string) -%}
    {% if max_rounds > 0 %}{% do get_assert_columns_equivalent(body) %}{% endif %}
    {%- set columns = model['columns'].values() | map(attribute='name') | join(', ') -%}
    {%- set progress = namespace(rounds=0, rows=0, is_open=max_rounds > 0) -%}
    {# by thousands: Jinja allows no range of more than 100,000, one customer may have as many invoices #}
    {% for thousand in range(max_rounds // 1000 + 1) %}
        {%- if not progress.is_open -%}{%- break -%}{%- endif -%}
        {% for place in range(1, 1001) %}
            {%- if not progress.is_open -%}{%- break -%}{%- endif -%}
            {%- set round = thousand * 1000 + place -%}
            {%- set round_body = modules.re.sub('/\*<round>\*/.*?/\*</round>\*/', round | string, body) -%}
            {%- set added = insert_and_count(
                work_relation, columns, 'select ' ~ columns ~ ' from (' ~ round_body ~ ') as posted'
            ) -%}
            {%- set progress.is_open = added > 0 -%}
            {%- if added > 0 -%}
                {%- if round > max_rounds -%}
                    {% do exceptions.raise_compiler_error(this ~ ": not settled after " ~ max_rounds ~ " rounds") %}
                {%- endif -%}
                {%- set progress.rounds = round -%}
                {%- set progress.rows = progress.rows + added -%}
                {% do refresh_statistics(work_relation, round) %}
            {%- endif -%}
        {% endfor %}
    {% endfor %}
    {% call noop_statement('main', 'ROUNDS ' ~ progress.rounds ~ ' ROWS ' ~ progress.rows, 'ROUNDS', progress.rows) -%}
        {{ body }}
    {%- endcall %}

    {% if existing_relation is not none %}
        {{ adapter.rename_relation(existing_relation, backup_relation) }}
    {% endif %}
    {{ adapter.rename_relation(work_relation, target_relation) }}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do apply_grants(target_relation, config.get('grants'), should_revoke=should_revoke(existing_relation, true)) %}
    {% do persist_docs(target_relation, model) %}
    {{ adapter.commit() }}
    {{ drop_relation_if_exists(load_cached_relation(backup_relation)) }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}

{% endmaterialization %}
