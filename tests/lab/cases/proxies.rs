//! Proxies: on the path unasked, breaking TLS open, or in front as the institution's own.

use std::fs;

use super::{Case, DIRECT, LEASED, healthy, line};
use crate::ask::{Ask, Centre};
use crate::check::{eventually, holds};
use crate::judge::{
    Certainty::{Likely, Proven},
    Expect,
};
use crate::lab::{Lab, Place};
use crate::peers::PLAIN;
use crate::shell::Done;

/// Where the proxies wait.
const PROXY: u16 = 3128;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "tls.untrusted/intercepting-proxy",
        on: DIRECT,
        stage: |lab| intercepted(lab, "untrusted"),
        prove: |lab| super::http::curl_complains(lab, "unable to get local issuer certificate"),
        ask: Ask::default,
        expect: Expect::broken(&["tls.untrusted"], Proven),
    },
    // Nobody has said whom to trust: nothing is claimed.
    Case {
        stage: |lab| intercepted(lab, "untrusted"),
        prove: |lab| super::http::curl_complains(lab, "unable to get local issuer certificate"),
        ask: || Ask { ca: false, ..Ask::default() },
        ..healthy("healthy/intercepted-and-no-ca-configured", LEASED)
    },
    // The organisation's own appliance, with a certificate of its own authority.
    Case {
        stage: |lab| intercepted(lab, "good"),
        prove: Lab::prove_healthy,
        ..healthy("healthy/intercepted-by-the-own-authority", LEASED)
    },
    Case {
        stage: transparent,
        prove: |lab| page_says(lab, &lab.plan.name, "200", true),
        ask: line::plain,
        ..healthy("healthy/transparent-proxy", DIRECT)
    },
    // The proxy takes the connection for a centre that is gone, and says so in its own words: whose page it is nobody vouches for.
    Case {
        name: "http.error/transparent-proxy-before-a-dead-centre",
        on: LEASED,
        stage: |lab| {
            transparent(lab)?;
            super::centre::dead(lab)?;
            lab.filter(Place::Shop, "output", &[format!("tcp dport {PLAIN} reject with tcp reset")])
        },
        prove: |lab| {
            lab.misses("the centre", lab.plan.centre())?;
            page_says(lab, &lab.plan.name, "5", true)
        },
        ask: line::plain,
        expect: Expect::broken(&["http.error"], Likely).beside(&["centre.outage"]),
    },
    Case {
        stage: |lab| front_end(lab, PLAIN),
        prove: |lab| page_says(lab, &front_end_host(lab), "200", false),
        ask: behind_front_end,
        ..healthy("healthy/front-end-proxy", DIRECT)
    },
    // The institution's own proxy lives, what it speaks for does not.
    Case {
        name: "http.error/front-end-proxy-finds-nobody",
        on: LEASED,
        stage: |lab| front_end(lab, 9),
        prove: |lab| page_says(lab, &front_end_host(lab), "5", false),
        ask: behind_front_end,
        expect: Expect::broken(&["http.error"], Proven).at_least(Likely),
    },
];

/// The shop's router answers in the centre's place, with this certificate, and asks the centre itself.
fn intercepted(lab: &mut Lab, certificate: &str) -> Done {
    let (dir, https) = (lab.dir.display().to_string(), lab.plan.https);
    let centre = lab.ip(lab.plan.centre());
    let centre = if centre.is_ipv6() { format!("[{centre}]") } else { centre.to_string() };
    lab.write(
        "interceptor.conf",
        &format!(
            "daemon off; master_process off; worker_processes 1; user root;\npid {dir}/interceptor.pid; error_log stderr error;\n\
             events {{ worker_connections 256; }}\nhttp {{ access_log off;\nclient_body_temp_path {dir}/i1; proxy_temp_path {dir}/i2; \
             fastcgi_temp_path {dir}/i3; uwsgi_temp_path {dir}/i4; scgi_temp_path {dir}/i5;\n\
             server {{ listen [::]:{PROXY} ssl ipv6only=off; ssl_certificate {dir}/{certificate}.pem; \
             ssl_certificate_key {dir}/{certificate}.key; location / {{ proxy_pass https://{centre}:{https}; }} }}\n}}\n"
        ),
    )?;
    let mut command = lab.at(Place::Shop).command("nginx");
    command.args(["-e", "stderr", "-c", &lab.text_path("interceptor.conf")]);
    lab.extra("interceptor", command)?;
    lab.nat(Place::Shop, &format!("iifname \"lan\" tcp dport {https} redirect to :{PROXY}"))
}

/// Every plain page goes through tinyproxy in the shop's router.
fn transparent(lab: &mut Lab) -> Done {
    let place = lab.at(Place::Shop);
    let mut hosts = "127.0.0.1 localhost\n".to_owned();
    for ip in lab.ips(lab.plan.centre()) {
        hosts.push_str(&format!("{ip} {}\n", lab.plan.name));
    }
    let file = format!("/etc/netns/{}/hosts", place.name);
    fs::write(&file, hosts).map_err(|e| format!("cannot write {file}: {e}"))?;
    tinyproxy(lab, Place::Shop, "")?;
    lab.nat(Place::Shop, &format!("iifname \"lan\" tcp dport {PLAIN} redirect to :{PROXY}"))
}

/// The PC beside passes everything on to this port of the centre.
fn front_end(lab: &mut Lab, port: u16) -> Done {
    let centre = lab.ip(lab.plan.centre());
    let centre = if centre.is_ipv6() { format!("[{centre}]") } else { centre.to_string() };
    tinyproxy(lab, Place::Switch, &format!("ReversePath \"/\" \"http://{centre}:{port}/\"\nReverseOnly Yes\n"))
}

fn tinyproxy(lab: &mut Lab, place: Place, more: &str) -> Done {
    lab.write(
        "tinyproxy.conf",
        &format!(
            "User root\nGroup root\nPort {PROXY}\nListen 0.0.0.0\nListen ::\nTimeout 30\nMaxClients 50\nViaProxyName \"shop\"\n{more}"
        ),
    )?;
    let mut command = lab.at(place).command("tinyproxy");
    command.args(["-d", "-c", &lab.text_path("tinyproxy.conf")]);
    lab.extra("tinyproxy", command)
}

/// The page's status begins so, and a proxy has signed it.
fn page_says(lab: &Lab, host: &str, status: &str, transparent: bool) -> Done {
    let port = if transparent { PLAIN } else { PROXY };
    let url = format!("http://{host}:{port}/health");
    eventually("the page comes from the proxy", || {
        let said = lab.terminal().try_run(&["curl", "-sS", "--noproxy", "*", "-m5", "-i", &url])?;
        let head = said.out.lines().next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default().to_owned();
        holds(head.starts_with(status) && said.out.contains("tinyproxy"), format!("{}{}", said.out, said.err))
    })
}

fn front_end_host(lab: &Lab) -> String {
    let ip = lab.ip(lab.plan.lan.host(9));
    if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() }
}

fn behind_front_end() -> Ask {
    Ask {
        centre: Centre::Elsewhere,
        access: Some("front-end"),
        more: |lab| {
            let (ip, url) = (lab.ip(lab.plan.lan.host(9)), front_end_host(lab));
            format!(
                "[[centre]]\nname = \"front-end\"\nhost = \"{ip}\"\nping = true\ntcp = [{PROXY}]\n\
                 http = {{ url = \"http://{url}:{PROXY}/health\", status = [200] }}\n"
            )
        },
        ..Ask::default()
    }
}
