-- Tables for records and signs of life of isonet. PostgreSQL 14 or later; up to some 20,000 terminals. Executed by tests/ops.
-- Then views.sql. Whatever feeds it calls isonet.take(LINE, PEER, ATTEMPT) for each line, in any order, as often as it likes.
\set ON_ERROR_STOP on
begin;
create schema isonet;

-- Which VPN gateway a terminal comes in by, told from the address it has inside: fill it in, or leave it empty.
create table isonet.gateways (
    network cidr primary key,
    gateway text not null
);

-- Records, each once. raw is the line byte for byte as the terminal wrote it: what hash is the hash of.
create table isonet.records (
    terminal    text        not null,
    epoch       uuid        not null,
    seq         bigint      not null check (seq > 0),
    hash        text        not null check (hash ~ '^[0-9a-f]{64}$'),
    prev_hash   text        not null,
    truncated   boolean     not null,   -- shortened on its way by syslog: its hash is of more than is here
    raw         text        not null,
    doc         jsonb       not null,
    received    timestamptz not null default clock_timestamp(),
    attempt     integer     not null,   -- more than 1: the terminal said that it may have been sent before
    at          timestamptz not null,   -- by the terminal's clock, right or wrong; seq is the order, not this
    institution text,
    region      text        not null,
    line        text        not null,   -- whose line
    gateway     text        not null,
    kind        text        not null,   -- incident, agent
    code        text        not null,   -- the cause, or agent.EVENT
    severity    text        not null,
    incident    text,                   -- its name, EPOCH/SEQ
    phase       text,
    primary key (terminal, epoch, seq)
);
create index on isonet.records (received);
create index on isonet.records (incident) where incident is not null;
create index on isonet.records (terminal, epoch) where code = 'agent.spool-gap';

-- The last sign of life of each terminal.
create table isonet.heartbeats (
    terminal    text        primary key,
    received    timestamptz not null default clock_timestamp(),
    at          timestamptz not null,
    epoch       uuid        not null,
    seq         bigint      not null,
    hash        text        not null,
    institution text,
    region      text        not null,
    line        text        not null,
    gateway     text        not null,
    interval_s  integer     not null check (interval_s > 0),
    goodbye     text,                   -- it said that it goes, and why
    log_well    boolean     not null,   -- its records reach its disk
    open        integer     not null,   -- incidents
    doc         jsonb       not null
) with (fillfactor = 50);

-- Every head that a terminal ever named: against these nobody can change what was recorded before.
create table isonet.heads (
    terminal   text        not null,
    epoch      uuid        not null,
    seq        bigint      not null,
    hash       text        not null,
    first_seen timestamptz not null default clock_timestamp(),
    primary key (terminal, epoch, seq)
);

-- Two that say different things under one number. The first stays where it is.
create table isonet.conflicts (
    terminal text        not null,
    epoch    uuid        not null,
    seq      bigint      not null,
    what     text        not null check (what in ('record', 'head')),
    hash     text        not null,      -- of the later one
    raw      text        not null,
    received timestamptz not null default clock_timestamp(),
    unique (terminal, epoch, seq, what, hash)
);

-- What is neither a record nor a sign of life. It must not hold up what comes after it.
create table isonet.refused (
    received timestamptz not null default clock_timestamp(),
    peer     inet,
    why      text not null,
    raw      text not null
);

-- Takes a line: new, known, completed (was there, shortened), conflict, heartbeat or refused. It fails only where the database does (disk full, connection
-- lost), and then the feeder has to try again.
create function isonet.take(line_sent text, peer inet default null, attempt integer default 1) returns text
language plpgsql as $$
declare
    d      jsonb;
    card   jsonb;
    name   text;
    life   uuid;
    number bigint;
    gate   text;
    was    text;
    short  boolean;
begin
    -- JSON may hold NUL, jsonb may not.
    d := replace(line_sent, '\u0000', '\ufffd')::jsonb;
    card := d -> 'terminal';
    name := coalesce(card ->> 'id', card ->> 'machine_id_hash', 'unknown');
    life := (d ->> 'epoch')::uuid;
    number := (d ->> 'seq')::bigint;
    gate := coalesce((select gateway from isonet.gateways where network >>= peer order by masklen(network) desc limit 1), 'unknown');

    if d ->> 'schema' = 'heartbeat/1' then
        insert into isonet.heartbeats values (
            name, default, (d #>> '{time,wall}')::timestamptz, life, number, d ->> 'hash', card ->> 'institution',
            coalesce(card ->> 'region', 'unknown'), coalesce(card ->> 'line', 'unknown'), gate, (d ->> 'interval_s')::integer, d ->> 'goodbye',
            (d #>> '{log,well}')::boolean, jsonb_array_length(d -> 'open') + (d ->> 'more_open')::integer, d)
        on conflict (terminal) do update set
            received = excluded.received, at = excluded.at, epoch = excluded.epoch, seq = excluded.seq, hash = excluded.hash,
            institution = excluded.institution, region = excluded.region, line = excluded.line, gateway = excluded.gateway,
            interval_s = excluded.interval_s, goodbye = excluded.goodbye, log_well = excluded.log_well, open = excluded.open, doc = excluded.doc;
        if number > 0 then
            insert into isonet.heads values (name, life, number, d ->> 'hash') on conflict do nothing;
            if not found and (select hash from isonet.heads where (terminal, epoch, seq) = (name, life, number)) <> d ->> 'hash' then
                insert into isonet.conflicts values (name, life, number, 'head', d ->> 'hash', line_sent) on conflict do nothing;
                return 'conflict';
            end if;
        end if;
        return 'heartbeat';
    elsif d ->> 'schema' is distinct from 'incident/1' then
        raise data_exception using message = 'neither incident/1 nor heartbeat/1';
    end if;

    short := coalesce((d ->> 'truncated')::boolean, false);
    insert into isonet.records values (
        name, life, number, d ->> 'hash', d ->> 'prev_hash', short, line_sent, d, default, attempt, (d #>> '{time,wall}')::timestamptz,
        card ->> 'institution', coalesce(card ->> 'region', 'unknown'), coalesce(card ->> 'line', 'unknown'), gate,
        coalesce(d ->> 'kind', 'unknown'), coalesce(d #>> '{cause,code}', 'agent.' || (d #>> '{agent,event}'), 'unknown'),
        coalesce(d #>> '{cause,severity}', d ->> 'severity', 'unknown'), d #>> '{incident,id}', d #>> '{incident,phase}')
    on conflict do nothing;
    if found then
        return 'new';
    end if;
    select r.hash, r.truncated and not short into was, short from isonet.records r where (r.terminal, r.epoch, r.seq) = (name, life, number);
    if was <> d ->> 'hash' then
        insert into isonet.conflicts values (name, life, number, 'record', d ->> 'hash', line_sent) on conflict do nothing;
        return 'conflict';
    elsif short then
        update isonet.records r set raw = line_sent, doc = d, truncated = false where (r.terminal, r.epoch, r.seq) = (name, life, number);
        return 'completed';
    end if;
    return 'known';
exception
    when data_exception or integrity_constraint_violation or program_limit_exceeded then
        insert into isonet.refused values (default, peer, sqlerrm, line_sent);
        return 'refused';
end
$$;
commit;
