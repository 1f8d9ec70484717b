//! At the counter: card readers, local services, and the quality of the card and its cable. This machine has no USB bus, no radio and no
//! cable: where a case's name says `sysfs-stand-in`, the product sees a folder of ours in the place of the kernel's.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Case, DIRECT_AND_OPENVPN, LEASED, LEASED_AND_OPENVPN, healthy};
use crate::ask::Ask;
use crate::check::{Tcp, eventually, holds, is};
use crate::judge::{Certainty::Proven, Expect};
use crate::lab::{Lab, Place};
use crate::shell::Done;

/// The local service that settlement speaks to.
const SERVICE: u16 = 9100;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "client.local-service-down",
        on: DIRECT_AND_OPENVPN,
        stage: |_| Ok(()),
        prove: |lab| {
            local_port_is(lab, "127.0.0.1", &Tcp::Refused)?;
            lab.prove_healthy()
        },
        ask: || Ask { terminal: |_| services("127.0.0.1"), ..Ask::default() },
        expect: Expect::broken(&["client.local-service-down"], Proven).degraded().about("127.0.0.1:9100"),
    },
    // It is there, where nobody looks for it.
    Case {
        name: "client.local-service-down/listens-elsewhere",
        on: LEASED,
        stage: |lab| {
            let elsewhere = lab.ip(lab.plan.terminal);
            lab.extra_stub("service", Place::Terminal, &[format!("ok-http@{elsewhere}:{SERVICE}")])
        },
        prove: |lab| {
            local_port_is(lab, &lab.ip(lab.plan.terminal).to_string(), &Tcp::Open)?;
            local_port_is(lab, "127.0.0.1", &Tcp::Refused)
        },
        ask: || Ask { terminal: |_| services("127.0.0.1"), ..Ask::default() },
        expect: Expect::broken(&["client.local-service-down"], Proven).degraded().about("127.0.0.1:9100"),
    },
    Case {
        stage: |lab| lab.extra_stub("service", Place::Terminal, &[format!("ok-http@[::1]:{SERVICE}")]),
        prove: |lab| {
            local_port_is(lab, "::1", &Tcp::Open)?;
            local_port_is(lab, "127.0.0.1", &Tcp::Refused)
        },
        ask: || Ask { terminal: |_| services("[::1]"), ..Ask::default() },
        ..healthy("healthy/local-service-on-ipv6-only", LEASED_AND_OPENVPN)
    },
    Case {
        stage: |lab| lab.extra_stub("service", Place::Terminal, &[format!("ok-http@[::]:{SERVICE}")]),
        prove: |lab| local_port_is(lab, "127.0.0.1", &Tcp::Open),
        ask: || Ask { terminal: |_| services("127.0.0.1"), ..Ask::default() },
        ..healthy("healthy/local-service", LEASED)
    },
    Case {
        name: "reader.missing/sysfs-stand-in",
        on: LEASED_AND_OPENVPN,
        stage: |lab| {
            enrolled_with_reader(lab)?;
            usb_bus(lab, None)
        },
        prove: |lab| {
            readers_are(lab, 0)?;
            lab.prove_healthy()
        },
        ask: with_usb,
        expect: Expect::broken(&["reader.missing"], Proven).degraded(),
    },
    Case {
        stage: |lab| {
            enrolled_with_reader(lab)?;
            usb_bus(lab, Some("1-2"))
        },
        prove: |lab| readers_are(lab, 1),
        ask: with_usb,
        ..healthy("healthy/reader-on-another-port", LEASED)
    },
    Case {
        name: "link.degraded/sysfs-stand-in",
        on: DIRECT_AND_OPENVPN,
        stage: |lab| medium(lab, "10\n", "half\n"),
        prove: |lab| medium_is(lab, "10 half"),
        ask: || Ask { stand_ins: speed_and_duplex, ..Ask::default() },
        expect: Expect::broken(&["link.degraded"], Proven).degraded(),
    },
    Case {
        stage: |lab| medium(lab, "100\n", "full\n"),
        prove: |lab| medium_is(lab, "100 full"),
        ask: || Ask { stand_ins: speed_and_duplex, ..Ask::default() },
        ..healthy("healthy/hundred-megabits", LEASED)
    },
    // What a driver says that does not know.
    Case {
        stage: |lab| medium(lab, "-1\n", "unknown\n"),
        prove: |lab| medium_is(lab, "-1 unknown"),
        ask: || Ask { stand_ins: speed_and_duplex, ..Ask::default() },
        ..healthy("healthy/speed-unknown", LEASED)
    },
    Case {
        name: "link.wifi-lost/sysfs-stand-in",
        on: DIRECT_AND_OPENVPN,
        stage: |lab| {
            radio(lab)?;
            lab.link_down(Place::Switch, "port1")
        },
        prove: |lab| {
            is_a_radio(lab)?;
            lab.misses("the gateway", lab.plan.gateway)
        },
        ask: || Ask { stand_ins: card, ..Ask::default() },
        expect: Expect::broken(&["link.wifi-lost"], Proven),
    },
    Case {
        stage: radio,
        prove: |lab| {
            is_a_radio(lab)?;
            lab.prove_healthy()
        },
        ask: || Ask { stand_ins: card, ..Ask::default() },
        ..healthy("healthy/wireless", LEASED_AND_OPENVPN)
    },
];

fn services(host: &str) -> String {
    format!("local-services = [\"{host}:{SERVICE}\"]\n")
}

fn local_port_is(lab: &Lab, host: &str, wanted: &Tcp) -> Done {
    let host = host.parse().map_err(|e| format!("{host}: {e}"))?;
    eventually(&format!("the local port is {wanted:?}"), || is(&lab.terminal().connect(host, SERVICE)?, wanted))
}

fn with_usb() -> Ask {
    Ask { enrolled: true, stand_ins: |lab| vec![(lab.path("sys-bus"), "/sys/bus".to_owned())], ..Ask::default() }
}

fn enrolled_with_reader(lab: &mut Lab) -> Done {
    usb_bus(lab, Some("1-1"))?;
    lab.enroll_as(&with_usb())
}

/// A bus with a keyboard, and a card reader in this port.
fn usb_bus(lab: &Lab, reader: Option<&str>) -> Done {
    let devices = lab.path("sys-bus/usb/devices");
    let _ = fs::remove_dir_all(&devices);
    let keyboard = [("idVendor", "046d"), ("idProduct", "c31c"), ("bDeviceClass", "00")];
    files(&devices.join("1-3"), &keyboard)?;
    files(&devices.join("1-3:1.0"), &[("bInterfaceClass", "03"), ("bInterfaceSubClass", "01"), ("bInterfaceProtocol", "01")])?;
    let Some(port) = reader else { return Ok(()) };
    files(&devices.join(port), &[("idVendor", "08e6"), ("idProduct", "3437"), ("bDeviceClass", "00"), ("serial", "A12B")])?;
    files(&devices.join(format!("{port}:1.0")), &[("bInterfaceClass", "0b"), ("bInterfaceSubClass", "00"), ("bInterfaceProtocol", "00")])
}

fn readers_are(lab: &Lab, wanted: usize) -> Done {
    let command = with_usb().in_its_place(lab, ["sh", "-c", "cat /sys/bus/usb/devices/*/bInterfaceClass"].map(str::to_owned).to_vec());
    let said = crate::shell::must(command, "")?;
    is(&said.out.lines().filter(|class| *class == "0b").count(), &wanted)
}

fn files(dir: &Path, list: &[(&str, &str)]) -> Done {
    let told = |e: std::io::Error| format!("cannot write below {}: {e}", dir.display());
    fs::create_dir_all(dir).map_err(told)?;
    list.iter().try_for_each(|(name, text)| fs::write(dir.join(name), format!("{text}\n"))).map_err(told)
}

/// What the driver says of the cable.
fn medium(lab: &mut Lab, speed: &str, duplex: &str) -> Done {
    lab.write("speed", speed)?;
    lab.write("duplex", duplex)
}

fn speed_and_duplex(lab: &Lab) -> Vec<(PathBuf, String)> {
    ["speed", "duplex"].map(|file| (lab.path(file), format!("/sys/class/net/{}/{file}", lab.plan.nic))).to_vec()
}

fn medium_is(lab: &Lab, wanted: &str) -> Done {
    let ask = Ask { stand_ins: speed_and_duplex, ..Ask::default() };
    let read = format!("cd /sys/class/net/{}; echo $(cat speed duplex)", lab.plan.nic);
    let said = crate::shell::must(ask.in_its_place(lab, ["sh", "-c", &read].map(str::to_owned).to_vec()), "")?;
    is(&said.out.trim(), &wanted)?;
    lab.prove_healthy()
}

/// The card's folder as a radio's: the index it really has, and a `wireless` beside it.
fn radio(lab: &mut Lab) -> Done {
    let file = format!("/sys/class/net/{}/ifindex", lab.plan.nic);
    let index = lab.terminal().run(&["cat", &file])?.out;
    let folder = lab.path("radio");
    files(&folder, &[("ifindex", index.trim())])?;
    fs::create_dir_all(folder.join("wireless")).map_err(|e| format!("cannot create the radio's folder: {e}"))
}

fn card(lab: &Lab) -> Vec<(PathBuf, String)> {
    vec![(lab.path("radio"), format!("/sys/class/net/{}", lab.plan.nic))]
}

fn is_a_radio(lab: &Lab) -> Done {
    let ask = Ask { stand_ins: card, ..Ask::default() };
    let folder = format!("/sys/class/net/{}", lab.plan.nic);
    let said = crate::shell::must(ask.in_its_place(lab, vec!["ls".to_owned(), folder]), "")?;
    holds(said.out.contains("wireless"), said.out)
}
