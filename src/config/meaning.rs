//! The merged whole against what its values mean together.

use super::centre::CentreHttp;
use super::problem::Problem;
use super::schema::Kind;
use super::text::duration;
use super::tree::{Node, Place, Table, Value, get, text};
use super::types::{Dns, Probe};
use std::time::Duration;

/// What diagnosis/1 calls the chain that all centres share.
const LOCAL_CHAIN: &str = "local";

/// A problem, its place, and the path of its key.
pub(super) type Misfit = (Place, String, Problem);

/// Everything that is well formed and yet cannot be meant.
pub(super) fn check(root: &Table) -> Vec<Misfit> {
    let mut misfits = Vec::new();
    names(root, &mut misfits);
    vias(root, &mut misfits);
    windows(root, &mut misfits);
    approval(root, &mut misfits);
    thresholds(root, &mut misfits);
    certificates(root, &mut misfits);
    authorities(root, &mut misfits);
    order(root, &mut misfits);
    misfits
}

/// The tables of a `[[list]]`, each with its path.
fn tables<'a>(root: &'a Table, list: &'a str) -> impl Iterator<Item = (String, &'a Table)> {
    let nodes = get(root, list).map_or(&[][..], Node::list);
    nodes.iter().enumerate().filter_map(move |(i, node)| {
        let table = node.table()?;
        let name = text(table, "name").map_or_else(|| format!("#{}", i + 1), str::to_owned);
        Some((format!("{list}[{name}]"), table))
    })
}

/// In a diagnosis each chain bears the name of its centre, and `local` is the part that all share.
fn names(root: &Table, misfits: &mut Vec<Misfit>) {
    for (path, centre) in tables(root, "centre") {
        if let Some(node) = get(centre, "name")
            && let Some(name) = node.text().filter(|name| *name == LOCAL_CHAIN)
        {
            misfits.push((node.place.clone(), format!("{path}.name"), Problem::ReservedName(name.to_owned())));
        }
    }
}

fn vias(root: &Table, misfits: &mut Vec<Misfit>) {
    let known: Vec<String> = tables(root, "vpn").filter_map(|(_, vpn)| text(vpn, "name").map(str::to_owned)).collect();
    for (path, centre) in tables(root, "centre") {
        let Some((node, via)) = get(centre, "via").and_then(|node| Some((node, node.text()?))) else { continue };
        if !known.iter().any(|name| name == via) {
            let problem = Problem::UnknownVpn { found: via.to_owned(), known: known.clone() };
            misfits.push((node.place.clone(), format!("{path}.via"), problem));
        }
    }
}

fn windows(root: &Table, misfits: &mut Vec<Misfit>) {
    for (path, window) in tables(root, "maintenance") {
        let at = |key| text(window, key).and_then(|text| text.parse::<jiff::Timestamp>().ok());
        if let (Some(from), Some(to), Some(node)) = (at("from"), at("to"), get(window, "to"))
            && from >= to
        {
            misfits.push((node.place.clone(), format!("{path}.to"), Problem::WindowReversed));
        }
    }
}

fn approval(root: &Table, misfits: &mut Vec<Misfit>) {
    let Some(isolation) = get(root, "isolation").and_then(Node::table) else { return };
    let lacks: Vec<&'static str> = ["approved-by", "approval-no"].into_iter().filter(|key| !isolation.contains_key(*key)).collect();
    if let Some(mode) = get(isolation, "mode")
        && mode.text() == Some("periodic")
        && !lacks.is_empty()
    {
        misfits.push((mode.place.clone(), "isolation.mode".to_owned(), Problem::NotApproved(lacks)));
    }
}

/// What is slow must be seen before the exchange is given up.
fn thresholds(root: &Table, misfits: &mut Vec<Misfit>) {
    let probe = get(root, "probe").and_then(Node::table);
    let written = probe.and_then(|probe| get(probe, "timeout"));
    let Some(timeout) = written.map_or(Some(Probe::default().timeout), length) else { return };
    let mut look = |slow: Option<&Node>, default: Duration, path: String| {
        let Some(length) = slow.map_or(Some(default), length) else { return };
        if length < timeout {
            return;
        }
        // Where the threshold is not written, the timeout is what was changed.
        let (node, path) = match (slow, written) {
            (Some(node), _) => (node, path),
            (None, Some(node)) => (node, "probe.timeout".to_owned()),
            (None, None) => return,
        };
        let problem = Problem::SlowNotBelowTimeout { slow: duration::render(length), timeout: duration::render(timeout) };
        if !misfits.iter().any(|(place, _, _)| *place == node.place) {
            misfits.push((node.place.clone(), path, problem));
        }
    };
    let dns = get(root, "dns").and_then(Node::table);
    look(dns.and_then(|dns| get(dns, "slow")), Dns::default().slow, "dns.slow".to_owned());
    for (path, centre) in tables(root, "centre") {
        if let Some(http) = get(centre, "http").and_then(Node::table) {
            look(get(http, "slow"), CentreHttp::DEFAULT_SLOW, format!("{path}.http.slow"));
        }
    }
}

fn length(node: &Node) -> Option<Duration> {
    duration::parse(node.text()?).ok()
}

/// A certificate is of no use without its key, nor a key without its certificate.
fn certificates(root: &Table, misfits: &mut Vec<Misfit>) {
    let tls = tables(root, "centre").filter_map(|(path, centre)| Some((format!("{path}.tls"), get(centre, "tls")?.table()?)));
    for (path, table) in tls.chain(tables(root, "sink")) {
        for (key, partner) in [("client-cert", "client-key"), ("client-key", "client-cert")] {
            if let Some(entry) = table.get(key)
                && entry.node.value != Value::Bad
                && !table.contains_key(partner)
            {
                misfits.push((entry.key.clone(), format!("{path}.{key}"), Problem::LacksPartner { partner }));
            }
        }
    }
}

/// A receiver that is reached over TLS has to be vouched for by somebody: nobody outside can do that in an isolated network.
fn authorities(root: &Table, misfits: &mut Vec<Misfit>) {
    for (path, sink) in tables(root, "sink") {
        let named = |key| get(sink, key);
        let encrypted = match text(sink, "kind") {
            Some("syslog") if text(sink, "transport") != Some("tcp") => named("address"),
            Some("nats") => named("servers").filter(|urls| urls.list().iter().filter_map(Node::text).any(|url| url.starts_with("tls:"))),
            _ => None,
        };
        if let Some(node) = encrypted.filter(|_| !sink.contains_key("ca")) {
            misfits.push((node.place.clone(), path, Problem::Missing { key: "ca", want: Kind::Path }));
        }
    }
}

/// Nobody is called twice.
fn order(root: &Table, misfits: &mut Vec<Misfit>) {
    let Some(order) = get(root, "contacts").and_then(Node::table).and_then(|contacts| get(contacts, "order")) else { return };
    let roles = order.list();
    for (i, role) in roles.iter().enumerate() {
        if role.text().is_some() && roles[..i].iter().any(|earlier| earlier.text() == role.text()) {
            misfits.push((
                role.place.clone(),
                format!("contacts.order[#{}]", i + 1),
                Problem::Repeated(role.text().unwrap_or_default().to_owned()),
            ));
        }
    }
}
