-- Takes in a file of records, a line each, in whatever order, as often as one likes: the spool of a terminal, a day of a receiver. Executed by tests/ops.
--   psql -d isonet -v file=/srv/isonet/records/20261123/610102.jsonl -f load.sql
\set ON_ERROR_STOP on
create temporary table incoming (raw text);
-- Neither of these bytes is in JSON, so each line is one column as it stands.
\set copy '\\copy incoming from ' :'file' ' with (format csv, delimiter E''\\x01'', quote E''\\x02'')'
:copy
select taken, count(*) from (select isonet.take(raw) as taken from incoming) t group by taken order by taken;
drop table incoming;
