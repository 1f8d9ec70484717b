-- What records and signs of life say. Executed by tests/ops. May be run again: it replaces what is there.
\set ON_ERROR_STOP on
begin;

-- Each terminal, as it is now. silent: nothing for two and a half intervals (two signs of life are missing), and no goodbye.
-- gone: for a week; it is not counted any more.
create or replace view isonet.terminals as
select terminal, institution, region, line, gateway, received as last_heard, open, log_well, epoch, seq, hash,
    case
        when received > now() - make_interval(secs => 2.5 * interval_s) and goodbye is null then 'heard'
        when goodbye is not null then 'closed'
        when received < now() - interval '7 days' then 'gone'
        else 'silent'
    end as state
from isonet.heartbeats;

create or replace view isonet.silent_terminals as
select terminal, institution, region, line, gateway, last_heard, now() - last_heard as silent_for, open as open_when_last_heard
from isonet.terminals where state = 'silent';

-- The groups in which outages show: a few hundred rows, which is what Prometheus gets.
create or replace view isonet.groups as
select region, line, gateway,
    count(*) filter (where state = 'heard') as heard,
    count(*) filter (where state = 'silent') as silent,
    count(*) filter (where state = 'closed') as closed,
    count(*) filter (where not log_well and state = 'heard') as disk_trouble
from isonet.terminals where state <> 'gone'
group by region, line, gateway;

-- Outages that go on: a whole region, gateway, operator, or an operator's line in a region, of which three tenths and five terminals are silent.
-- since: when half of the silent ones had spoken for the last time.
create or replace view isonet.outages_now as
select case grouping(region, line, gateway) when 3 then 'region' when 5 then 'line' when 6 then 'gateway' else 'line in region' end as scope,
    region, line, gateway, count(*) filter (where state = 'silent') as silent, count(*) as expected,
    percentile_disc(0.5) within group (order by last_heard) filter (where state = 'silent') as since
from isonet.terminals where state in ('heard', 'silent')
group by grouping sets ((region), (line), (gateway), (region, line))
having count(*) filter (where state = 'silent') >= 5 and count(*) filter (where state = 'silent') >= 0.3 * count(*);

-- The order of the lives of a terminal's log.
create or replace view isonet.lives as
select terminal, epoch, min(received) as began, max(seq) as last_seq,
    row_number() over (partition by terminal order by min(received) desc, epoch desc) = 1 as newest
from isonet.records group by terminal, epoch;

-- Each incident by its last record.
create or replace view isonet.incidents as
select distinct on (r.terminal, r.incident)
    r.terminal, r.incident, r.institution, r.region, r.line, r.gateway, r.code, r.severity, r.phase,
    r.doc #>> '{incident,kind}' as kind, r.doc #>> '{cause,certainty}' as certainty, r.doc #>> '{cause,object}' as object,
    (r.doc #>> '{incident,since,wall}')::timestamptz as since, r.at, (r.doc #>> '{incident,duration_ms}')::bigint as duration_ms,
    r.doc #>> '{incident,part_of}' as part_of, r.doc -> 'who_acts' as who_acts, l.newest
from isonet.records r join isonet.lives l using (terminal, epoch)
where r.incident is not null
order by r.terminal, r.incident, l.began desc, r.seq desc;

-- What is open in the newest life of a log stands in it; one that does not is over, and nobody knows since when.
create or replace view isonet.open_incidents as
select terminal, incident, institution, region, line, gateway, code, severity, kind, certainty, object, since, part_of, who_acts
from isonet.incidents where phase <> 'resolved' and newest;

-- Past and present outages, as the terminals told afterwards: disconnections that began within the same ten minutes.
create or replace view isonet.outages as
select date_bin('10 minutes', since, 'epoch') as began, region, line, gateway, code,
    count(distinct terminal) as terminals, count(*) filter (where phase <> 'resolved' and newest) as still_open, max(duration_ms) as longest_ms
from isonet.incidents where kind = 'disconnection' and part_of is null
group by 1, 2, 3, 4, 5;

-- Terminals that have records which did not arrive yet.
create or replace view isonet.behind as
select t.terminal, t.region, t.line, t.gateway, t.state, t.seq - coalesce(l.last_seq, 0) as records,
    (select min(h.first_seen) from isonet.heads h where (h.terminal, h.epoch) = (t.terminal, t.epoch) and h.seq > coalesce(l.last_seq, 0)) as since
from isonet.terminals t left join isonet.lives l on (l.terminal, l.epoch) = (t.terminal, t.epoch)
where t.seq > coalesce(l.last_seq, 0);

-- Where the chain of a terminal does not hold, in what came since then. What is missing counts after the grace: the record that explains it may
-- be under way.
create or replace function isonet.check_chains(since timestamptz, grace interval default '15 minutes')
returns table (terminal text, region text, epoch uuid, seq bigint, what text, detail text)
language sql stable as $$
with recent as (select * from isonet.records r where r.received >= since),
gaps as (
    select r.terminal, (r.doc #>> '{agent,epoch}')::uuid as epoch, (r.doc #>> '{agent,from}')::bigint as first,
        (r.doc #>> '{agent,to}')::bigint as last, r.doc #>> '{agent,after}' as after
    from isonet.records r where r.code = 'agent.spool-gap'
)
select r.terminal, r.region, r.epoch, r.seq, 'altered', 'the hash does not fit the content'
from recent r where not r.truncated
    and r.hash <> encode(sha256(convert_to(left(r.raw, length(r.raw) - length(',"hash":"') - 66), 'UTF8')), 'hex')
union all
select r.terminal, r.region, r.epoch, r.seq, 'unchained', 'prev_hash is not the hash of the record before'
from recent r join isonet.records p on (p.terminal, p.epoch, p.seq) = (r.terminal, r.epoch, r.seq - 1)
where r.prev_hash <> p.hash
union all
select m.terminal, m.region, m.epoch, m.seq, 'missing', m.open::text
from (
    select r.terminal, r.region, r.epoch, r.seq,
        int8multirange(int8range(coalesce(p.seq, 0) + 1, r.seq))
            - coalesce((select range_agg(int8range(g.first, g.last, '[]')) from gaps g where (g.terminal, g.epoch) = (r.terminal, r.epoch)), '{}') as open
    from recent r
    left join lateral (
        select max(q.seq) as seq from isonet.records q where (q.terminal, q.epoch) = (r.terminal, r.epoch) and q.seq < r.seq
    ) p on true
    where r.received <= now() - grace and coalesce(p.seq, 0) < r.seq - 1
) m where not isempty(m.open)
union all
select r.terminal, r.region, r.epoch, r.seq, 'unchained', 'prev_hash is not what the gap before it ended in'
from recent r join gaps g on (g.terminal, g.epoch, g.last) = (r.terminal, r.epoch, r.seq - 1)
where g.after is not null and r.prev_hash <> g.after
union all
select h.terminal, r.region, h.epoch, h.seq, 'head', 'the terminal named another hash in a sign of life'
from isonet.heads h join isonet.records r using (terminal, epoch, seq)
where h.hash <> r.hash and greatest(h.first_seen, r.received) >= since
union all
select c.terminal, coalesce(b.region, 'unknown'), c.epoch, c.seq, 'conflict', c.what || ' came again with another content'
from isonet.conflicts c left join isonet.heartbeats b using (terminal) where c.received >= since
$$;

create or replace view isonet.chain_breaks as select * from isonet.check_chains(now() - interval '2 days');

-- For dashboards and the exporter: it sees counts and names, and changes nothing.
do $$ begin
    if not exists (select from pg_roles where rolname = 'isonet_read') then create role isonet_read login; end if;
    if not exists (select from pg_roles where rolname = 'isonet_write') then create role isonet_write login; end if;
end $$;
grant usage on schema isonet to isonet_read, isonet_write;
grant select on all tables in schema isonet to isonet_read;
-- What was taken in cannot be changed by whoever feeds it, except by isonet.take.
alter function isonet.take(text, inet, integer) security definer;
alter function isonet.take(text, inet, integer) set search_path = pg_catalog, pg_temp;
revoke execute on function isonet.take(text, inet, integer) from public;
grant execute on function isonet.take(text, inet, integer) to isonet_write;
commit;
