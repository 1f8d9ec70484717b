//! The path from this PC to the centre, one item per layer, as every face draws it.

use super::evidence;
use super::rules;
use super::scene::Way;
use super::uplink::Uplink;
use super::{Judged, ms};
use crate::model::{Chain, Evidence, Layer, LayerState, Outcome, PathItem, Subject};
use std::collections::BTreeSet;
use std::net::SocketAddr;

/// Layers that belong to the place rather than to the centre.
const LOCAL: [Layer; 4] = [Layer::Link, Layer::Address, Layer::Gateway, Layer::Line];

/// Draws every way. Ways that leave through the same card and gateway share their local part, which is drawn once.
pub fn path(ways: &[Way<'_>], judged: &[Judged]) -> Vec<PathItem> {
    let uplinks: BTreeSet<&Uplink> = ways.iter().map(|way| &way.uplink).collect();
    let shared = uplinks.len() == 1;
    let mut items = Vec::new();
    if shared && let Some(way) = ways.first() {
        items.extend(LOCAL.iter().map(|layer| item(way, *layer, Chain::Local, together(judged, *layer))));
    }
    for (way, outcome) in ways.iter().zip(judged) {
        let own = outcome.layers.iter().filter(|(layer, _)| !(shared && LOCAL.contains(layer)));
        let own = own.filter(|_| way.centre.is_some() || !shared);
        items.extend(own.map(|(layer, state)| item(way, *layer, way.chain(), *state)));
    }
    items
}

/// A shared layer works when it works for anyone.
fn together(judged: &[Judged], layer: Layer) -> LayerState {
    let states = || judged.iter().flat_map(|j| j.layers.iter().filter(move |(l, _)| *l == layer).map(|(_, state)| *state));
    [LayerState::Ok, LayerState::Failed, LayerState::Unknown]
        .into_iter()
        .find(|wanted| states().any(|s| s == *wanted))
        .unwrap_or(LayerState::Skipped)
}

fn item(way: &Way<'_>, layer: Layer, chain: Chain, state: LayerState) -> PathItem {
    let (subject, proof) = portrait(way, layer);
    let (fact, ms) = proof.map_or((String::new(), None), |e| (e.result, e.ms));
    PathItem { chain, layer, subject, state, fact, ms }
}

/// What stands at this layer, and the one line that tells most about it.
fn portrait(way: &Way<'_>, layer: Layer) -> (Subject, Option<Evidence>) {
    let device = || way.uplink.device.clone().map_or(Subject::Terminal, Subject::Link);
    let centre = || way.centre.map_or(Subject::Terminal, |c| Subject::Centre(c.name.clone()));
    match layer {
        Layer::Link => (device(), way.link().map(evidence::link)),
        Layer::Address => (device(), addresses(way)),
        Layer::Gateway => gateway(way),
        Layer::Line => (Subject::Line, way.beyond_gateway().map(|sign| evidence::state("line", "line", sign.who))),
        Layer::Vpn => vpn(way),
        Layer::Route => route(way),
        Layer::Dns => dns(way),
        Layer::Tcp => tcp(way),
        Layer::Tls => {
            let seen = rules::handshakes(way);
            let best = seen.iter().find(|(_, o)| o.ok().is_some()).or(seen.first());
            (best.map_or_else(centre, |(key, _)| Subject::Endpoint(key.at)), best.map(|(key, o)| evidence::tls(key.at, o)))
        }
        Layer::Http => {
            let seen = rules::exchanges(way);
            let best = seen.iter().find(|(_, o)| o.ok().is_some()).or(seen.first());
            (centre(), best.map(|(at, o)| evidence::http(at, o)))
        }
    }
}

fn addresses(way: &Way<'_>) -> Option<Evidence> {
    let usable = way.usable_addresses();
    let text = usable.iter().map(|a| a.net.to_string()).collect::<Vec<_>>().join(" ");
    way.uplink.device.as_ref().map(|device| evidence::state("address.list", device, text))
}

fn gateway(way: &Way<'_>) -> (Subject, Option<Evidence>) {
    let subject = way.uplink.gateway.map_or(Subject::Terminal, Subject::Gateway);
    let proof = way.gateway().map(|gateway| match &gateway.ping {
        ping @ Outcome::Ok(reply) => Evidence { ms: Some(ms(reply.rtt)), ..evidence::ping("", ping) },
        _ => evidence::arp("", gateway),
    });
    (subject, proof)
}

fn vpn(way: &Way<'_>) -> (Subject, Option<Evidence>) {
    let Some(vpn) = way.vpn else {
        return (Subject::Terminal, None);
    };
    let text = way.vpn_facts().map(|facts| facts.interface.as_ref().map_or("no interface".to_owned(), ToString::to_string));
    (Subject::Vpn(vpn.name.clone()), text.map(|text| evidence::state("vpn", &vpn.name, text)))
}

fn route(way: &Way<'_>) -> (Subject, Option<Evidence>) {
    let decided = way.candidates().into_iter().find_map(|ip| Some((ip, way.scene.world.route_to(ip)?)));
    let proof = decided.map(|(ip, outcome)| evidence::route(ip, outcome));
    (decided.map_or(Subject::Terminal, |(ip, _)| Subject::Route(ip)), proof)
}

fn dns(way: &Way<'_>) -> (Subject, Option<Evidence>) {
    let Some(centre) = way.centre else {
        return (Subject::Terminal, None);
    };
    let lookup = way.scene.world.lookup(&centre.host);
    (Subject::Name(centre.host.clone()), lookup.map(|outcome| evidence::lookup(&centre.host, outcome)))
}

fn tcp(way: &Way<'_>) -> (Subject, Option<Evidence>) {
    let ports = way.centre.map(rules::required_ports).unwrap_or_default();
    let world = way.scene.world;
    let all = || ports.iter().flat_map(|port| way.targets.iter().map(move |ip| SocketAddr::new(*ip, *port)));
    let seen = || all().filter_map(|at| Some((at, world.tcp(at)?)));
    // The port that tells: a dead one while any is dead everywhere, else the first that answered.
    let answered = |port: u16| seen().any(|(at, o)| at.port() == port && o.ok().is_some());
    let worst = seen().find(|(at, _)| !answered(at.port())).or_else(|| seen().find(|(_, o)| o.ok().is_some()));
    match worst {
        Some((at, outcome)) => (Subject::Endpoint(at), Some(evidence::tcp(at, outcome))),
        None => (way.centre.map_or(Subject::Terminal, |c| Subject::Centre(c.name.clone())), None),
    }
}
