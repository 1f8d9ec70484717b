//! Proxies that this PC is told to use, as far as they are written down in text. The parsers are pure, take any text and run nothing.
//!
//! | read | where |
//! |---|---|
//! | environment, profiles, package manager | this program's own; `/etc/environment`, `/etc/environment.d`, `/etc/profile`, `/etc/profile.d`, `/etc/bash.bashrc`, `/etc/systemd/system.conf`, `/etc/apt`; of each user `.profile`, `.bash_profile`, `.bashrc`, `.pam_environment`, `.config/environment.d` |
//! | GNOME and what keeps its settings likewise | keyfiles in `/etc/dconf/db/*.d`; of each user `.config/glib-2.0/settings/keyfile`, `.config/dconf/user.txt` |
//! | browsers | managed and recommended policies of Chromium, Chrome and Edge; policies of Firefox |
//! | scripts (PAC) | a script that one of these or the address server (option 252) names: what is literally written in it |
//!
//! **Not read**: the binary database of GNOME (`.config/dconf/user`), settings that a user made in a browser, KDE's, scripts behind HTTPS, what
//! a script computes, the environment of other programs, and homes that this program may not enter. Whoever uses such a proxy is seen to talk
//! to it ([`observed`](super::observed)).

mod browsers;
mod desktop;
mod places;
mod script;
mod written;

pub use places::{leads, watched};

use super::topology::is_public;
use crate::model::{Outcome, Sighting};
use crate::probe::dns::query;
use crate::probe::outside::{Speaks, text_at};
use crate::sys::files;
use crate::sys::resolv::{self, Places};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;
use url::Url;

/// Proxies in all, and leads that are followed.
const MOST: usize = 4;
/// No script is larger.
const LARGEST_SCRIPT: usize = 128 * 1024;
/// For a look-up of a name.
const PATIENCE: Duration = Duration::from_millis(1500);

/// A proxy as it is written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    /// What it understands, as far as that is written.
    pub speaks: Speaks,
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// What a setting says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Says {
    /// This proxy.
    Proxy(Named),
    /// Whatever the script there says.
    Script(String),
    /// Look for a script by the name `wpad`.
    Discover,
}

/// A setting, and where it is written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lead {
    /// What it says.
    pub says: Says,
    /// A path, `environment`, or `DHCP`.
    pub place: String,
}

/// A proxy with an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// What it understands.
    pub speaks: Speaks,
    /// Where it is written.
    pub place: String,
}

/// Proxies by address, as far as the hosts file knows their names, and the leads that have to be followed for more.
pub fn sorted(leads: Vec<Lead>) -> (BTreeMap<SocketAddr, Known>, BTreeSet<Lead>) {
    let (mut found, mut further) = (BTreeMap::new(), BTreeSet::new());
    for lead in leads {
        let at = match &lead.says {
            Says::Proxy(named) => address(&named.host).map(|ip| (SocketAddr::new(ip, named.port), named.speaks)),
            Says::Script(_) | Says::Discover => None,
        };
        match at {
            Some((at, speaks)) if found.len() < MOST => {
                found.entry(at).or_insert_with(|| Known { speaks, place: lead.place });
            }
            None if further.len() < MOST => drop(further.insert(lead)),
            Some(_) | None => {}
        }
    }
    (found, further)
}

/// An address as it stands there or in the hosts file.
fn address(host: &str) -> Option<IpAddr> {
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
    literal.or_else(|| resolv::hosts(&Places::default(), host).ok()?.first().copied())
}

/// Follows a lead: asks for names, fetches a script. Nothing is fetched from public addresses that are not `inside`.
pub async fn follow(lead: &Lead, resolvers: &[IpAddr], inside: &[IpNet]) -> Vec<(SocketAddr, Speaks)> {
    let named = match &lead.says {
        Says::Proxy(named) => vec![named.clone()],
        Says::Script(url) => script_at(url, resolvers, inside).await.map(|text| script::proxies(&text)).unwrap_or_default(),
        Says::Discover => {
            let mut found = Vec::new();
            for domain in resolv::search(&Places::default()) {
                let url = format!("http://wpad.{domain}/wpad.dat");
                found.extend(script_at(&url, resolvers, inside).await.map(|text| script::proxies(&text)).unwrap_or_default());
            }
            found
        }
    };
    let mut found = Vec::new();
    for Named { speaks, host, port } in named.into_iter().take(MOST) {
        found.extend(known(&host, resolvers).await.map(|ip| (SocketAddr::new(ip, port), speaks)));
    }
    found
}

/// The text of a script, from a file or by HTTP.
async fn script_at(url: &str, resolvers: &[IpAddr], inside: &[IpNet]) -> Option<String> {
    let url = Url::parse(url).ok()?;
    match url.scheme() {
        "file" => files::read_text(Path::new(url.path()), LARGEST_SCRIPT as u64).ok(),
        "http" => {
            let ip = known(url.host_str()?, resolvers).await?;
            if may_be_fetched_from(ip, inside) {
                text_at(SocketAddr::new(ip, url.port_or_known_default()?), &url, LARGEST_SCRIPT).await
            } else {
                None
            }
        }
        _ => None,
    }
}

fn may_be_fetched_from(ip: IpAddr, inside: &[IpNet]) -> bool {
    !is_public(&ip.into()) || inside.iter().any(|net| net.contains(&ip))
}

async fn known(host: &str, resolvers: &[IpAddr]) -> Option<IpAddr> {
    if let Some(ip) = address(host) {
        return Some(ip);
    }
    match query(*resolvers.first()?, host, PATIENCE).await {
        Sighting::Query(_, Outcome::Ok(answer)) => answer.addresses.first().copied(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lead(says: Says) -> Lead {
        Lead { says, place: "/etc/environment".to_owned() }
    }

    fn proxy(host: &str) -> Lead {
        lead(Says::Proxy(Named { speaks: Speaks::Http, host: host.to_owned(), port: 3128 }))
    }

    #[test]
    fn addresses_are_known_at_once_and_names_and_scripts_have_to_be_followed() {
        let script = lead(Says::Script("http://10.1.0.9/proxy.pac".to_owned()));
        let (found, further) = sorted(vec![proxy("10.1.0.5"), proxy("[fd00::5]"), proxy("proxy.invalid"), script.clone()]);
        let addresses: Vec<String> = found.keys().map(ToString::to_string).collect();
        assert_eq!(addresses, ["10.1.0.5:3128", "[fd00::5]:3128"]);
        assert_eq!(further, BTreeSet::from([proxy("proxy.invalid"), script]));
    }

    #[test]
    fn of_a_long_list_only_the_first_few_count() {
        let all = (1..200).flat_map(|n| [proxy(&format!("10.1.0.{n}")), proxy(&format!("p{n}.invalid")), lead(Says::Discover)]).collect();
        let (found, further) = sorted(all);
        assert_eq!((found.len(), further.len()), (MOST, MOST));
    }

    #[test]
    fn scripts_are_fetched_from_inside_only() {
        let (outside, inside): (IpAddr, IpAddr) = ("223.5.5.5".parse().expect("an address"), "10.1.0.9".parse().expect("an address"));
        assert!(may_be_fetched_from(inside, &[]) && !may_be_fetched_from(outside, &[]));
        assert!(may_be_fetched_from(outside, &["223.5.5.0/24".parse().expect("a prefix")]), "enrolled as inside");
    }

    #[tokio::test]
    async fn a_script_in_a_file_is_read_and_one_at_a_public_address_is_not_fetched() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "function FindProxyForURL(url, host) { return \"PROXY 10.1.0.5:3128; DIRECT\"; }").expect("written");
        let here = lead(Says::Script(format!("file://{}", file.path().display())));
        assert_eq!(follow(&here, &[], &[]).await, [("10.1.0.5:3128".parse().expect("an address"), Speaks::Http)]);
        for url in ["http://223.5.5.5/proxy.pac", "https://10.1.0.9/proxy.pac", "http://pac.invalid/", "nonsense"] {
            assert_eq!(follow(&lead(Says::Script(url.to_owned())), &[], &[]).await, [], "{url}");
        }
    }
}
