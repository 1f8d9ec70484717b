//! One round of questions: sends what was planned, all at once, and gives what came back.

use super::around::Surroundings;
use super::proof::{Path, Round, Said, through};
use super::topology::is_public;
use crate::config::{Anchor, Roots};
use crate::model::{ClockState, Stamp, Unseen};
use crate::probe::names::{self, Knows};
use crate::probe::outside;
use crate::probe::tls::{Trust, certificates};
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// A round that ended.
pub struct Done {
    /// Anchors and controls.
    pub round: Round,
    /// Anchors through proxies.
    pub by_proxy: Round,
    /// Name servers.
    pub names: BTreeMap<IpAddr, Knows>,
    /// When it began (`boottime_ms`).
    pub began: u64,
    /// As all was when it began.
    pub of: Surroundings,
    /// Whether this PC's clock was kept.
    pub clock: ClockState,
    /// Why nobody could be asked.
    pub blind: Option<Unseen>,
}

/// Whom a round asks.
pub struct Plan {
    /// Anchors, and the ways there.
    pub anchors: Vec<(Anchor, Path)>,
    /// Addresses of nobody.
    pub controls: Vec<SocketAddr>,
    /// Proxies, and the anchors asked through each.
    pub proxies: Vec<(SocketAddr, Anchor)>,
    /// Name servers, and the names they are asked for.
    pub resolvers: Vec<IpAddr>,
    pub names: Option<[String; 2]>,
}

impl Plan {
    /// SYN that it takes.
    pub fn size(&self) -> usize {
        self.anchors.len() + self.controls.len() + self.proxies.len()
    }
}

/// Asks all at once.
pub async fn ask(plan: Plan, roots: Roots, of: Surroundings, at: Stamp) -> Done {
    let mut done = Done {
        round: Round::default(),
        by_proxy: Round::default(),
        names: BTreeMap::new(),
        of,
        began: at.boottime_ms,
        clock: at.clock,
        blind: None,
    };
    let trust = match trust(&roots) {
        Ok(trust) => trust,
        Err(why) => return Done { blind: Some(why), ..done },
    };
    let trust = &trust;
    let anchors = plan.anchors.into_iter().map(|(anchor, path)| async move {
        let answer = outside::knock(anchor.address, &anchor.server_name, trust).await;
        Said { anchor, path, answer }
    });
    let controls = plan.controls.into_iter().map(|at| async move { (at, outside::accepts(at).await) });
    let proxies = plan.proxies.into_iter().map(|(proxy, anchor)| async move {
        let answer = outside::knock_through(proxy, anchor.address, &anchor.server_name, trust).await;
        Said { anchor, path: through(proxy), answer }
    });
    let resolvers = plan.names.iter().flat_map(|names| plan.resolvers.iter().map(move |resolver| (*resolver, names)));
    let resolvers =
        resolvers.map(|(resolver, names)| async move { (resolver, names::known(resolver, names, |ip| is_public(&ip.into())).await) });
    let (said, controls, by_proxy, names) = tokio::join!(join_all(anchors), join_all(controls), join_all(proxies), join_all(resolvers));
    done.round = Round { said, controls };
    done.by_proxy = Round { said: by_proxy, controls: Vec::new() };
    done.names = names.into_iter().collect();
    done
}

fn trust(roots: &Roots) -> Result<Trust, Unseen> {
    match roots {
        Roots::Embedded => Ok(Trust::embedded()),
        Roots::File(path) => Ok(Trust::new(certificates(path)?)),
    }
}
