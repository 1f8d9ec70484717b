//! The lab: real faults in network namespaces, with real peers, and `isonet diagnose` asked about each.
//!
//! ```text
//! cargo test --test lab -- --help
//! ```
//! For every case: stage it, prove by other tools (ping, dig, getent, curl, socat, ip) that the effect is there and that
//! what must still work does, ask the product inside the terminal's namespace, compare with what was fixed beforehand,
//! take it back, prove health. Nothing is asserted about time; timings are printed. A pass of everything ends with the
//! daemon's proof (`watch`), where times are asserted. Needs root and the programs of `NEEDS`; says so and stops where they
//! are missing, unless `--full` demands them.
#![allow(
    clippy::disallowed_methods,
    reason = "the lab measures and waits by the machine's clock; the product's rule about clocks is not meant here"
)]
#![allow(
    clippy::format_push_string,
    clippy::format_collect,
    reason = "short command files, written once each: the shape of a line counts, not an allocation"
)]

mod args;
mod ask;
mod cases;
mod certs;
mod charon;
mod check;
mod hold;
mod judge;
mod lab;
mod machine;
mod pass;
mod peers;
mod plan;
mod relay;
mod shell;
mod site;
mod stub;
mod table;
mod unstaged;
mod verbs;
mod vpns;
mod watch;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use args::{Args, Depth, Task};
use machine::Run;
use shell::Done;

/// The programs a pass needs, and the Debian package of each.
const NEEDS: [(&str, &str); 26] = [
    ("ip", "iproute2"),
    ("ping", "iputils-ping"),
    ("arping", "iputils-arping"),
    ("sysctl", "procps"),
    ("timeout", "coreutils"),
    ("setpriv", "util-linux"),
    ("getent", "libc-bin"),
    ("nft", "nftables"),
    ("conntrack", "conntrack"),
    ("socat", "socat"),
    ("curl", "curl"),
    ("dig", "bind9-dnsutils"),
    ("dnsmasq", "dnsmasq-base"),
    ("nginx", "nginx-light"),
    ("tinyproxy", "tinyproxy-bin"),
    ("NetworkManager", "network-manager"),
    ("openvpn", "openvpn"),
    ("wireguard-go", "wireguard-go"),
    ("wg", "wireguard-tools"),
    ("ocserv", "ocserv"),
    ("openconnect", "openconnect"),
    ("openssl", "openssl"),
    (charon::CHARON, "strongswan-charon libcharon-extra-plugins"),
    ("swanctl", "strongswan-swanctl"),
    ("faketime", "faketime"),
    ("env", "coreutils"),
];

fn main() -> ExitCode {
    let args = match Args::parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(e) => {
            eprintln!("lab: {e}");
            return ExitCode::from(64);
        }
    };
    match args.task.clone() {
        Task::Help => print!("{}", args::HELP),
        Task::ListForRunner => {}
        Task::List => pass::list(&args),
        Task::Stub(specs) => {
            if let Err(e) = stub::serve(&specs) {
                eprintln!("lab stub: {e}");
                return ExitCode::FAILURE;
            }
        }
        Task::Clean => {
            for pid in machine::clean_dead_runs() {
                println!("removed what run {pid} left");
            }
        }
        Task::Hold | Task::Pass | Task::Watch | Task::Health => return supervised(&args),
    }
    ExitCode::SUCCESS
}

/// Runs with everything set so that nothing outlives this process, however it ends.
fn supervised(args: &Args) -> ExitCode {
    // These need no root and no programs: they hold wherever tests run.
    let wrong = [judge::self_check(), judge::unknown_codes(), unstaged::forgotten()].concat();
    if !wrong.is_empty() {
        eprintln!("lab: {}", wrong.join("\nlab: "));
        println!("0 passed, {} failed, 0 skipped", wrong.len());
        return ExitCode::FAILURE;
    }
    if let Err(why) = can_run() {
        println!("SKIPPED lab: {why}");
        println!("0 passed, {}", if args.depth == Depth::Full { "1 failed, 0 skipped" } else { "0 failed, 1 skipped" });
        return if args.depth == Depth::Full { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    for pid in machine::clean_dead_runs() {
        println!("removed what run {pid} left");
    }
    if let Err(e) = machine::remove_on_signal() {
        eprintln!("lab: {e}");
        return ExitCode::FAILURE;
    }
    let run = match Run::start() {
        Ok(run) => run,
        Err(e) => {
            eprintln!("lab: {e}");
            return ExitCode::FAILURE;
        }
    };
    let ended = catch_unwind(AssertUnwindSafe(|| match args.task {
        Task::Hold => hold::hold(args, &run).map(|()| true),
        Task::Watch => watch::watch(args, &run),
        Task::Health => watch::health(args, &run),
        _ => pass::pass(args, &run).and_then(|well| Ok(if args.is_whole() { watch::watch(args, &run)? && well } else { well })),
    }));
    drop(run);
    match ended {
        Ok(Ok(true)) => ExitCode::SUCCESS,
        Ok(Ok(false)) | Err(_) => ExitCode::FAILURE,
        Ok(Err(e)) => {
            eprintln!("lab: {e}");
            ExitCode::FAILURE
        }
    }
}

fn can_run() -> Done {
    if !rustix::process::geteuid().is_root() {
        return Err("needs root for network namespaces; run it with sudo".to_owned());
    }
    if !std::path::Path::new("/dev/net/tun").exists() {
        return Err("needs /dev/net/tun; load the tun module".to_owned());
    }
    let mut missing: Vec<&str> = NEEDS.iter().filter(|(program, _)| peers::find(program).is_none()).map(|(_, package)| *package).collect();
    missing.dedup();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(format!("programs are missing; apt-get install --no-install-recommends {}", missing.join(" ")))
    }
}
