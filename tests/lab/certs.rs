//! The centre's private CA and the certificates it serves, good and bad ones.

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use jiff::{Span, Zoned};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};

use crate::shell::Done;

/// A validity relative to today, in days.
#[derive(Clone, Copy)]
struct Days(i64, i64);

/// Wide enough for any lab, narrow enough that a clock 400 days ahead is past it.
const GOOD: Days = Days(-30, 90);

/// Writes `ca.pem` and `NAME.pem` + `NAME.key` for every certificate the peers use.
pub(crate) fn write_all(dir: &Path, name: &str, addresses: &[IpAddr], vpn: IpAddr) -> Done {
    let told = |e: &dyn std::fmt::Display| format!("cannot make certificates: {e}");
    let ca = authority("Centre private CA").map_err(|e| told(&e))?;
    let stranger = authority("Unknown CA").map_err(|e| told(&e))?;
    save(dir, "ca.pem", &ca.1)?;
    let sheet: [(&str, &str, &Issuer<'_, KeyPair>, Days); 8] = [
        ("good", name, &ca.0, GOOD),
        ("renewed", name, &ca.0, Days(-1, 120)),
        ("expired", name, &ca.0, Days(-400, -3)),
        ("early", name, &ca.0, Days(20, 400)),
        ("untrusted", name, &stranger.0, GOOD),
        ("other-name", "other.invalid", &ca.0, GOOD),
        ("vpn-server", "vpn-server", &ca.0, Days(-3000, 3000)),
        ("vpn-client", "vpn-client", &ca.0, Days(-3000, 3000)),
    ];
    for (file, subject, issuer, days) in sheet {
        let with = match subject {
            "vpn-server" => std::slice::from_ref(&vpn),
            _ if subject == name => addresses,
            _ => &[],
        };
        let (cert, key) = leaf(subject, with, issuer, days).map_err(|e| told(&e))?;
        save(dir, &format!("{file}.pem"), &cert)?;
        save(dir, &format!("{file}.key"), &key)?;
    }
    Ok(())
}

fn save(dir: &Path, file: &str, text: &str) -> Done {
    let path = dir.join(file);
    fs::write(&path, text).map_err(|e| format!("cannot write {}: {e}", path.display()))
}

fn date(days: i64) -> (i32, u8, u8) {
    let day = Zoned::now().checked_add(Span::new().days(days)).expect("a few years around today exist").date();
    let small = |n: i8| u8::try_from(n).expect("months and days are positive");
    (i32::from(day.year()), small(day.month()), small(day.day()))
}

fn dated(params: &mut CertificateParams, days: Days) {
    let (y, m, d) = date(days.0);
    params.not_before = rcgen::date_time_ymd(y, m, d);
    let (y, m, d) = date(days.1);
    params.not_after = rcgen::date_time_ymd(y, m, d);
}

fn authority(common: &str) -> Result<(Issuer<'static, KeyPair>, String), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, common);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    dated(&mut params, Days(-3000, 3000));
    let text = params.self_signed(&key)?.pem();
    Ok((Issuer::new(params, key), text))
}

fn leaf(subject: &str, addresses: &[IpAddr], issuer: &Issuer<'_, KeyPair>, days: Days) -> Result<(String, String), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(vec![subject.to_owned()])?;
    params.distinguished_name.push(DnType::CommonName, subject);
    params.subject_alt_names.extend(addresses.iter().copied().map(SanType::IpAddress));
    params.use_authority_key_identifier_extension = true;
    dated(&mut params, days);
    let cert = params.signed_by(&key, issuer)?;
    Ok((cert.pem(), key.serialize_pem()))
}
