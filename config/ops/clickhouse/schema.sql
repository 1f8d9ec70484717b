-- isonet receivers' kit: records and signs of life in ClickHouse, for fleets beyond 20,000 terminals. Executed by tests/ops with chdb 26.5, which is the
-- engine as a library; not executed here against a server or a cluster (there: Replicated engines in place of these).
--
-- Whatever feeds it inserts lines into isonet.lines, as often as it likes: insert into isonet.lines format LineAsString (a line each).
-- hash is part of the key: two contents under one number stay both, and show in chain_breaks. Equal ones become one.
create database if not exists isonet;

create table if not exists isonet.lines (raw String) engine = Null;

create table if not exists isonet.records (
    terminal    String,
    epoch       UUID,
    seq         UInt64,
    hash        FixedString(64),
    prev_hash   FixedString(64),
    raw         String codec(ZSTD(6)),
    received    DateTime64(3) default now64(3),
    at          DateTime64(3),
    institution String,
    region      LowCardinality(String),
    line        LowCardinality(String),
    kind        LowCardinality(String),
    code        LowCardinality(String),
    severity    LowCardinality(String),
    incident    String,
    phase       LowCardinality(String),
    incident_kind LowCardinality(String),
    since       DateTime64(3),
    duration_ms Nullable(Int64),
    gap_epoch   String,
    gap_from    UInt64,
    gap_to      UInt64
)
engine = ReplacingMergeTree
partition by toYYYYMM(at)
order by (terminal, epoch, seq, hash)
ttl toDateTime(at) + interval 183 day;

create materialized view if not exists isonet.take_records to isonet.records as
with JSONExtractString(raw, 'time', 'wall') as wall, JSONExtract(raw, 'terminal', 'Tuple(id String, machine_id_hash String, institution String, region String, line String)') as card
select
    multiIf(card.id != '', card.id, card.machine_id_hash != '', card.machine_id_hash, 'unknown') as terminal,
    toUUIDOrZero(JSONExtractString(raw, 'epoch')) as epoch,
    JSONExtractUInt(raw, 'seq') as seq,
    toFixedString(substring(JSONExtractString(raw, 'hash'), 1, 64), 64) as hash,
    toFixedString(substring(JSONExtractString(raw, 'prev_hash'), 1, 64), 64) as prev_hash,
    raw,
    parseDateTime64BestEffort(if(match(wall, '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}'), wall, '1970-01-01T00:00:00Z'), 3, 'UTC') as at,
    card.institution as institution,
    if(card.region = '', 'unknown', card.region) as region,
    if(card.line = '', 'unknown', card.line) as line,
    JSONExtractString(raw, 'kind') as kind,
    if(kind = 'agent', concat('agent.', JSONExtractString(raw, 'agent', 'event')), JSONExtractString(raw, 'cause', 'code')) as code,
    if(kind = 'agent', JSONExtractString(raw, 'severity'), JSONExtractString(raw, 'cause', 'severity')) as severity,
    JSONExtractString(raw, 'incident', 'id') as incident,
    JSONExtractString(raw, 'incident', 'phase') as phase,
    JSONExtractString(raw, 'incident', 'kind') as incident_kind,
    parseDateTime64BestEffort(if(match(JSONExtractString(raw, 'incident', 'since', 'wall'), '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}'), JSONExtractString(raw, 'incident', 'since', 'wall'), '1970-01-01T00:00:00Z'), 3, 'UTC') as since,
    JSONExtract(raw, 'incident', 'duration_ms', 'Nullable(Int64)') as duration_ms,
    JSONExtractString(raw, 'agent', 'epoch') as gap_epoch,
    JSONExtractUInt(raw, 'agent', 'from') as gap_from,
    JSONExtractUInt(raw, 'agent', 'to') as gap_to
from isonet.lines where JSONExtractString(raw, 'schema') = 'incident/1';

-- The last sign of life of each terminal.
create table if not exists isonet.heartbeats (
    terminal   String,
    received   DateTime64(3) default now64(3),
    epoch      UUID,
    seq        UInt64,
    hash       String,
    region     LowCardinality(String),
    line       LowCardinality(String),
    interval_s UInt32,
    goodbye    String,
    open       UInt32
)
engine = ReplacingMergeTree(received)
order by terminal
ttl toDateTime(received) + interval 183 day;

create materialized view if not exists isonet.take_heartbeats to isonet.heartbeats as
with JSONExtract(raw, 'terminal', 'Tuple(id String, machine_id_hash String, region String, line String)') as card
select
    multiIf(card.id != '', card.id, card.machine_id_hash != '', card.machine_id_hash, 'unknown') as terminal,
    toUUIDOrZero(JSONExtractString(raw, 'epoch')) as epoch,
    JSONExtractUInt(raw, 'seq') as seq,
    JSONExtractString(raw, 'hash') as hash,
    if(card.region = '', 'unknown', card.region) as region,
    if(card.line = '', 'unknown', card.line) as line,
    JSONExtractUInt(raw, 'interval_s') as interval_s,
    JSONExtractString(raw, 'goodbye') as goodbye,
    length(JSONExtractArrayRaw(raw, 'open')) + JSONExtractUInt(raw, 'more_open') as open
from isonet.lines where JSONExtractString(raw, 'schema') = 'heartbeat/1';

-- Every head that a terminal ever named.
create table if not exists isonet.heads (terminal String, epoch UUID, seq UInt64, hash String, first_seen DateTime64(3) default now64(3))
engine = ReplacingMergeTree
order by (terminal, epoch, seq, hash)
ttl toDateTime(first_seen) + interval 183 day;

create materialized view if not exists isonet.take_heads to isonet.heads as
select terminal, epoch, seq, hash from isonet.heartbeats where seq > 0;

create or replace view isonet.terminals as
select terminal, region, line, received as last_heard, open, epoch, seq,
    multiIf(goodbye != '', 'closed', received > now64(3) - toIntervalSecond(intDiv(interval_s * 5, 2)), 'heard', received < now64(3) - interval 7 day, 'gone', 'silent') as state
from isonet.heartbeats final;

create or replace view isonet.silent_terminals as select * from isonet.terminals where state = 'silent';

create or replace view isonet.groups as
select region, line, countIf(state = 'heard') as heard, countIf(state = 'silent') as silent, countIf(state = 'closed') as closed
from isonet.terminals where state != 'gone' group by region, line;

create or replace view isonet.outages_now as
select scope.1 as region, scope.2 as line, countIf(state = 'silent') as silent, count() as expected,
    quantileExactIf(0.5)(last_heard, state = 'silent') as since
from (
    select state, last_heard, arrayJoin([(toString(region), ''), ('', toString(line)), (toString(region), toString(line))]) as scope
    from isonet.terminals where state in ('heard', 'silent')
)
group by scope having silent >= 5 and silent >= 0.3 * expected;

create or replace view isonet.lives as
select terminal, epoch, min(received) as began, max(seq) as last_seq from isonet.records group by terminal, epoch;

-- Each incident by its last record; the newest life of a log names what is open.
create or replace view isonet.incidents as
select r.terminal as terminal, r.incident as incident, argMax((r.phase, r.code, r.severity, r.region, r.line, r.since, r.duration_ms, r.incident_kind, r.epoch), (l.began, r.seq)) as last,
    last.1 as phase, last.2 as code, last.3 as severity, last.4 as region, last.5 as line, last.6 as since, last.7 as duration_ms, last.8 as kind, last.9 as epoch
from (select * from isonet.records final where incident != '') r join isonet.lives l on l.terminal = r.terminal and l.epoch = r.epoch
group by terminal, incident;

create or replace view isonet.open_incidents as
select i.terminal as terminal, incident, region, line, code, severity, kind, since
from isonet.incidents i join (select terminal, argMax(epoch, (began, epoch)) as newest from isonet.lives group by terminal) n on n.terminal = i.terminal
where phase != 'resolved' and i.epoch = n.newest;

create or replace view isonet.outages as
select toStartOfInterval(since, interval 10 minute) as began, region, line, code, uniqExact(terminal) as terminals, countIf(phase != 'resolved') as unresolved
from isonet.incidents where kind = 'disconnection' group by began, region, line, code;

-- Where the chain of a terminal does not hold.
create or replace view isonet.chain_breaks as
with chained as (
    select terminal, epoch, seq, hash, prev_hash, raw,
        lagInFrame(seq, 1, toUInt64(0)) over w as before, lagInFrame(hash, 1, toFixedString('', 64)) over w as hash_before
    from isonet.records final
    window w as (partition by terminal, epoch order by seq rows between 1 preceding and current row)
),
missing as (select terminal, epoch, seq, arrayJoin(range(before + 1, seq)) as number from chained where seq > before + 1 and seq - before < 100000),
gaps as (select terminal, toUUID(gap_epoch) as epoch, groupArray((gap_from, gap_to)) as ranges from isonet.records final where code = 'agent.spool-gap' group by terminal, epoch)
select terminal, epoch, seq, 'altered' as what from chained
where position(raw, '"truncated":true') = 0 and lower(hex(SHA256(substring(raw, 1, length(raw) - 75)))) != hash
union all
select terminal, epoch, seq, 'unchained' from chained where before = seq - 1 and before > 0 and prev_hash != hash_before
union all
select m.terminal, m.epoch, m.seq, 'missing' from missing m left join gaps g on g.terminal = m.terminal and g.epoch = m.epoch
where not arrayExists(range -> m.number between range.1 and range.2, g.ranges) group by m.terminal, m.epoch, m.seq
union all
select terminal, epoch, seq, 'conflict' from isonet.records final group by terminal, epoch, seq having uniqExact(hash) > 1
union all
select terminal, epoch, seq, 'conflict' from isonet.heads final group by terminal, epoch, seq having uniqExact(hash) > 1
union all
select h.terminal, h.epoch, h.seq, 'head' from (select * from isonet.heads final) h
join (select terminal, epoch, seq, groupArray(hash) as hashes from isonet.records final group by terminal, epoch, seq) r
    on r.terminal = h.terminal and r.epoch = h.epoch and r.seq = h.seq
where not has(r.hashes, toFixedString(h.hash, 64));
