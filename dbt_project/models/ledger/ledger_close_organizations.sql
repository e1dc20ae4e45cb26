with

close_scope as (

    select * from {{ ref('stg_events__close_scope') }}
    where {{ is_close_open('close_id') }}

),

invoices as (

    select
        invoices.close_id,
        invoices.organization_id,
        count(*) as invoices_count
    from {{ ref('ledger_invoices') }} as invoices
    group by invoices.close_id, invoices.organization_id

),

outputs as (

    select
        output_hashes.close_id,
        output_hashes.organization_id,
        string_agg(
            output_hashes.table_name
            || ' ' || cast(output_hashes.rows_count as varchar)
            || ' ' || output_hashes.output_hash || '|',
            '' order by {{ binary_order('output_hashes.table_name') }}
        ) as outputs_text
    from {{ ref('ledger_output_hashes') }} as output_hashes
    where {{ is_close_open('output_hashes.close_id') }}
    group by output_hashes.close_id, output_hashes.organization_id

),

committed as (

    {{
        committed_rows('ledger_close_organizations', {
            'close_id': 'bigint',
            'organization_id': 'varchar',
            'known_batch_id': 'bigint',
            'close_hash': 'varchar',
        }) | indent(4)
    }}

),

{# the organisation's close before this one, whose hash the new one covers #}
previous as (

    select
        ranked.organization_id,
        ranked.known_batch_id,
        ranked.close_hash
    from (
        select
            committed.*,
            row_number() over (partition by committed.organization_id order by committed.close_id desc) as recency
        from committed
    ) as ranked
    where ranked.recency = 1

),

files as (

    select
        landed_files.batch_id,
        string_agg(
            landed_files.file_sha256 || ' ' || cast(landed_files.landed_count as varchar) || '|',
            '' order by landed_files.file_id
        ) as files_text
    from {{ ref('stg_events__landed_files') }} as landed_files
    group by landed_files.batch_id

),

{# what became known since the close before: the batches with the versions of their books and the files they took #}
inputs as (

    select
        close_scope.organization_id,
        string_agg(
            cast(batches.batch_id as varchar)
            || ' ' || coalesce(batches.book_version, '')
            || ' ' || coalesce(files.files_text, ''),
            '|' order by batches.batch_id
        ) as inputs_text
    from close_scope
    left join previous
        on close_scope.organization_id = previous.organization_id
    inner join {{ ref('stg_events__landing_batches') }} as batches
        on
            close_scope.known_batch_id >= batches.batch_id
            and batches.batch_id > coalesce(previous.known_batch_id, 0)
    left join files
        on batches.batch_id = files.batch_id
    group by close_scope.organization_id

),

described as (

    select
        close_scope.close_id,
        close_scope.organization_id,
        close_scope.as_of,
        close_scope.known_batch_id,
        close_scope.book_version,
        close_scope.code_version,
        close_scope.override_reason,
        coalesce(invoices.invoices_count, 0) as invoices_count,
        {{ sha256_text("coalesce(inputs.inputs_text, '')") }} as inputs_hash,
        {{ sha256_text("coalesce(outputs.outputs_text, '')") }} as outputs_hash,
        previous.close_hash as previous_close_hash
    from close_scope
    left join invoices
        on
            close_scope.close_id = invoices.close_id
            and close_scope.organization_id = invoices.organization_id
    left join outputs
        on
            close_scope.close_id = outputs.close_id
            and close_scope.organization_id = outputs.organization_id
    left join inputs
        on close_scope.organization_id = inputs.organization_id
    left join previous
        on close_scope.organization_id = previous.organization_id

)

select
    described.close_id,
    described.organization_id,
    described.as_of,
    described.known_batch_id,
    described.invoices_count,
    described.book_version,
    described.code_version,
    described.override_reason,
    described.inputs_hash,
    described.outputs_hash,
    described.previous_close_hash,
    {{ sha256_text(canonical_row('described', {
        'close_id': 'bigint', 'organization_id': 'varchar', 'as_of': 'timestamp', 'known_batch_id': 'bigint',
        'invoices_count': 'bigint', 'book_version': 'varchar', 'code_version': 'varchar', 'override_reason': 'varchar',
        'inputs_hash': 'varchar', 'outputs_hash': 'varchar', 'previous_close_hash': 'varchar',
    })) }} as close_hash
from described
