-- Parsed lines into landing_parsed.
insert into landing_parsed
{{ parsed }}
