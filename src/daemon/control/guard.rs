//! Who may come in by the loopback port. Pure.
//!
//! Any web page that somebody on this PC has open can send requests to 127.0.0.1, and a name that its owner points there makes the answers
//! readable to it (DNS rebinding). So: the request names this server and nothing else as its host; what is not simply opened comes from a page
//! of this server; what changes anything says so by its origin and carries the token of this run, which only such a page can know.

use hyper::header::{HOST, HeaderMap, HeaderName, ORIGIN};
use hyper::{Method, Uri};

/// Said by browsers, and by them alone: no script can set it.
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stranger {
    /// The host is not this server's.
    Host,
    /// Another site asks.
    Site,
}

/// Whether a request at this port comes from this PC's own browser on a page of this server, or from no page at all.
pub(super) fn check(port: u16, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Stranger> {
    let host = only(headers, &HOST, Stranger::Host)?.filter(|host| is_own(host, port)).ok_or(Stranger::Host)?;
    // An absolute target names its host itself.
    if uri.authority().is_some_and(|authority| !is_own(authority.as_str(), port)) {
        return Err(Stranger::Host);
    }
    let origin = only(headers, &ORIGIN, Stranger::Site)?;
    let site = only(headers, &SITE, Stranger::Site)?;
    if let Some(origin) = origin
        && origin.strip_prefix("http://").is_none_or(|origin| !origin.eq_ignore_ascii_case(host))
    {
        return Err(Stranger::Site);
    }
    let opened = method == Method::GET && uri.path() == "/";
    match site {
        None | Some("same-origin" | "none") => Ok(()),
        // A link to the page may stand anywhere; what it shows, the other site cannot read.
        Some(_) if opened => Ok(()),
        Some(_) => Err(Stranger::Site),
    }
}

/// The one header of this name; `None` = there is none. Several, or one that is not text, come from a stranger.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName, otherwise: Stranger) -> Result<Option<&'a str>, Stranger> {
    let mut all = headers.get_all(name).iter();
    match (all.next(), all.next()) {
        (None, _) => Ok(None),
        (Some(one), None) => one.to_str().map(Some).map_err(|_| otherwise),
        (Some(_), Some(_)) => Err(otherwise),
    }
}

fn is_own(host: &str, port: u16) -> bool {
    let own = |name: &str| {
        let rest = host.get(..name.len()).filter(|begin| begin.eq_ignore_ascii_case(name)).map(|_| &host[name.len()..]);
        match rest {
            Some("") => port == 80,
            Some(rest) => rest.strip_prefix(':') == Some(&port.to_string()),
            None => false,
        }
    };
    ["127.0.0.1", "localhost", "[::1]"].into_iter().any(own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    fn asked(method: &Method, target: &str, headers: &[(&'static str, &'static str)]) -> Result<(), Stranger> {
        let mut all = HeaderMap::new();
        for (name, value) in headers {
            all.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        check(8787, method, &target.parse().expect("a target"), &all)
    }

    #[test]
    fn only_this_server_is_meant_by_the_host() {
        for host in ["127.0.0.1:8787", "localhost:8787", "LocalHost:8787", "[::1]:8787"] {
            assert_eq!(asked(&Method::GET, "/", &[("host", host)]), Ok(()), "{host}");
        }
        for host in
            ["rebound.example:8787", "127.0.0.1", "127.0.0.1:87", "127.0.0.1:8787.example", "127.0.0.1.example:8787", "", "localhost:08787"]
        {
            assert_eq!(asked(&Method::GET, "/", &[("host", host)]), Err(Stranger::Host), "{host}");
        }
        assert_eq!(asked(&Method::GET, "/", &[]), Err(Stranger::Host));
        assert_eq!(asked(&Method::GET, "/", &[("host", "127.0.0.1:8787"), ("host", "rebound.example:8787")]), Err(Stranger::Host));
        assert_eq!(asked(&Method::GET, "http://rebound.example:8787/", &[("host", "127.0.0.1:8787")]), Err(Stranger::Host));
        let mut no_port = HeaderMap::new();
        no_port.insert(HOST, HeaderValue::from_static("localhost"));
        assert_eq!(check(80, &Method::GET, &Uri::from_static("/"), &no_port), Ok(()));
    }

    #[test]
    fn another_site_may_link_to_the_page_and_nothing_else() {
        const OWN: (&str, &str) = ("host", "127.0.0.1:8787");
        let get = |path, site| asked(&Method::GET, path, &[OWN, ("sec-fetch-site", site)]);
        assert_eq!(get("/", "cross-site"), Ok(()));
        for site in ["cross-site", "same-site"] {
            assert_eq!(get("/v1/changes", site), Err(Stranger::Site));
            assert_eq!(asked(&Method::POST, "/", &[OWN, ("sec-fetch-site", site)]), Err(Stranger::Site));
        }
        for site in ["same-origin", "none"] {
            assert_eq!(get("/v1/changes", site), Ok(()));
        }
        for origin in ["http://evil.example", "null", "https://127.0.0.1:8787", "http://localhost:8787", "http://127.0.0.1"] {
            assert_eq!(asked(&Method::POST, "/look", &[OWN, ("origin", origin)]), Err(Stranger::Site), "{origin}");
        }
        assert_eq!(asked(&Method::POST, "/look", &[OWN, ("origin", "http://127.0.0.1:8787")]), Ok(()));
    }
}
