{#
  Post-hook of every ledger table: from now on the database itself refuses to change what was finalised. An update and a
  truncation are always refused, a delete of rows whose close is committed too; what a killed close left may go.
  DuckDB has no triggers: there the hash chain tells (docs/architecture.md, "Finalised is final").
#}
{% macro guard_ledger(relation) -%}{{ return(adapter.dispatch('guard_ledger', 'meterhouse')(relation)) }}{%- endmacro %}

{% macro default__guard_ledger(relation) -%}select 1{%- endmacro %}

{% macro postgres__guard_ledger(relation) -%}
{%- set refuse = relation.schema ~ '.refuse_change_of_ledger' -%}
do $guard$
begin
    if to_regproc('{{ refuse }}') is null then
        create function {{ refuse }}() returns trigger language plpgsql as $refuse$
        declare
            is_committed boolean := true;
        begin
            if tg_op = 'DELETE' then
                execute format('select exists (select 1 from %I.closes where close_id = $1)', tg_table_schema)
                    into is_committed using old.close_id;
            end if;
            if is_committed then
                raise exception 'The ledger is final: % on %.% is refused', lower(tg_op), tg_table_schema, tg_table_name
                    using hint = 'What is learnt later becomes a credit note or an adjustment of a later close.';
            end if;
            return old;
        end
        $refuse$;
    end if;
    if not exists (
        select 1 from pg_trigger where tgrelid = '{{ relation }}'::regclass and tgname = 'ledger_rows_are_final'
    ) then
        create trigger ledger_rows_are_final before update or delete on {{ relation }}
            for each row execute function {{ refuse }}();
        create trigger ledger_is_never_truncated before truncate on {{ relation }}
            for each statement execute function {{ refuse }}();
    end if;
end
$guard$
{%- endmacro %}
