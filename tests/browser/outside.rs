//! The internet as far as the watch asks for it: two operators' servers with the right certificates, on addresses of the lab's own, by an
//! authority that only this daemon trusts. This program once more, in the lab's internet, answers.

use std::fs;
use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::lab::{Lab, Place};
use crate::shell::Done;

/// The first argument of such a start.
pub(crate) const WORD: &str = "--outside";
/// Address, name and operator; the lab's internet has the addresses.
const ANCHORS: [(&str, &str, &str); 2] = [("223.5.5.5:443", "dns.alidns.com", "alibaba"), ("114.114.114.114:443", "doh.pub", "tencent")];
/// As far away as another town.
const FAR: Duration = Duration::from_millis(6);
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes the certificates; the table of the configuration that names them.
pub(crate) fn settings(lab: &Lab) -> String {
    make(lab).expect("a certificate can be made, and a file of the lab's written")
}

fn make(lab: &Lab) -> Result<String, Box<dyn std::error::Error>> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    fs::write(lab.path("outside.roots"), authority.pem())?;
    let mut anchors = String::new();
    for (at, name, operator) in ANCHORS {
        let mut params = CertificateParams::new(vec![name.to_owned()])?;
        params.not_before = rcgen::date_time_ymd(2024, 1, 1);
        params.not_after = rcgen::date_time_ymd(2040, 1, 1);
        let key = KeyPair::generate()?;
        fs::write(lab.path(&format!("{name}.pem")), params.signed_by(&key, &authority)?.pem())?;
        fs::write(lab.path(&format!("{name}.key")), key.serialize_pem())?;
        anchors += &format!("  {{ address = \"{at}\", server-name = \"{name}\", operator = \"{operator}\" }},\n");
    }
    Ok(format!("[isolation]\nroots = \"{}\"\nanchors = [\n{anchors}]\n", lab.path("outside.roots").display()))
}

/// A second cable, by which an internet that answers can be had.
pub(crate) fn breach(lab: &mut Lab) -> Done {
    let own = std::env::current_exe().map_err(|e| format!("cannot find this program: {e}"))?;
    let internet = lab.at(Place::Internet);
    let mut command = internet.command(&own.display().to_string());
    command.arg(WORD);
    for (at, name, _) in ANCHORS {
        command.arg(at).arg(lab.path(&format!("{name}.pem"))).arg(lab.path(&format!("{name}.key")));
    }
    let mut servers = quiet(&mut command).spawn().map_err(|e| format!("nobody answers outside: {e}"))?;
    lab.later(move |_| servers.kill().and_then(|()| servers.wait()).map(drop).map_err(|e| e.to_string()));
    let ports: Vec<&str> = ANCHORS.iter().map(|(at, ..)| *at).collect();
    crate::check::eventually("servers outside", || {
        let mut command = internet.command("ss");
        command.arg("-Hltn");
        let listening = crate::shell::must(command, "")?.out;
        crate::check::holds(ports.iter().all(|at| listening.contains(at)), listening)
    })?;
    crate::state::second_cable(
        lab,
        "route add 223.5.5.5/32 via 192.168.42.1 dev up0\nroute add 114.114.114.114/32 via 192.168.42.1 dev up0\n",
    )
}

fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
}

/// Answers: `words` are address, certificate and key, and so on.
pub(crate) fn serve(words: &[String]) -> Done {
    let mut threads = Vec::new();
    for one in words.chunks_exact(3) {
        let config = config(&one[1], &one[2]).map_err(|e| format!("{}: {e}", one[1]))?;
        let listener = TcpListener::bind(&one[0]).map_err(|e| format!("{}: {e}", one[0]))?;
        threads.push(thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let config = Arc::clone(&config);
                thread::spawn(move || attend(stream, config));
            }
        }));
    }
    for thread in threads {
        drop(thread.join());
    }
    Ok(())
}

fn config(chain: &str, key: &str) -> Result<Arc<ServerConfig>, Box<dyn std::error::Error>> {
    let chain: Vec<_> = CertificateDer::pem_file_iter(chain)?.collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.with_no_client_auth().with_single_cert(chain, key)?))
}

fn attend(mut stream: TcpStream, config: Arc<ServerConfig>) {
    let Ok(mut connection) = rustls::ServerConnection::new(config) else { return };
    let _ = stream.set_read_timeout(Some(PATIENCE));
    let mut heard = [0; 4096];
    let _ = stream.peek(&mut heard);
    // A distance, not a wait for something.
    thread::sleep(FAR);
    while connection.is_handshaking() && connection.complete_io(&mut stream).is_ok() {}
    let _ = stream.read(&mut heard);
}
