-- The lines that are not the first of their event; both properties where nothing else differs, to be compared key by key.
create temp table landing_repeats (
    file_id bigint,
    line_number bigint,
    is_same boolean,
    is_alike boolean,
    properties varchar,
    first_properties varchar
)
