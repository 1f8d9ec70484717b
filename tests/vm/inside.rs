//! What busybox cannot do inside the PC, done there by this same program under the name `inside`: `inside WORD [NUMBER]`.
#![allow(unsafe_code, reason = "the kernel's clock and its audit are told things for which there is no safe wrapper")]

use std::mem::zeroed;
use std::net::UdpSocket;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::Done;

/// From 1900, where the time of NTP begins, to 1970, seconds.
const NTP_BEGINS: u64 = 2_208_988_800;

/// Does it, if it is called so.
pub(crate) fn asked() -> Option<ExitCode> {
    let words: Vec<String> = std::env::args().collect();
    let [name, word, rest @ ..] = &words[..] else { return None };
    if name.rsplit('/').next() != Some("inside") {
        return None;
    }
    let number = rest.first().and_then(|word| word.parse().ok()).unwrap_or(0);
    let done = match word.as_str() {
        "ntp" => serve_time(number),
        "kept" => kept(0),
        "leap" => kept(libc::STA_INS),
        "inject" => inject(number),
        "battery" => battery(number),
        "audit" => audit(),
        other => Err(format!("{other}: not known")),
    };
    Some(match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            println!("{why}");
            ExitCode::FAILURE
        }
    })
}

/// A server for 127.0.0.1 whose time is `ahead` seconds ahead of what the clock shows now, and goes on from there whatever is done to the clock.
fn serve_time(ahead: i64) -> Done {
    let socket = UdpSocket::bind("127.0.0.1:123").map_err(|e| format!("port 123: {e}"))?;
    // The hardware's own pace: every other clock here follows the one that the client corrects.
    let pace = || Duration::try_from(rustix::time::clock_gettime(rustix::time::ClockId::MonotonicRaw)).unwrap_or_default();
    let began = pace();
    let shown = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|e| e.to_string())?;
    let now = || {
        let elapsed = shown + pace().saturating_sub(began);
        let seconds = (elapsed.as_secs() + NTP_BEGINS).saturating_add_signed(ahead);
        let fraction = (u64::from(elapsed.subsec_nanos()) << 32) / 1_000_000_000;
        ((seconds << 32) | fraction).to_be_bytes()
    };
    let mut asked = [0; 512];
    loop {
        let (length, from) = socket.recv_from(&mut asked).map_err(|e| e.to_string())?;
        if length < 48 {
            continue;
        }
        // Version 4, a server of stratum 2, a millionth of a second exact, a thousandth away from its own.
        let mut answer = [0_u8; 48];
        answer[..4].copy_from_slice(&[0x24, 2, asked[2], 0xEC]);
        (answer[6], answer[10]) = (0, 0);
        (answer[7], answer[11]) = (0x40, 0x40);
        answer[12..16].copy_from_slice(&[10, 77, 1, 1]);
        answer[16..24].copy_from_slice(&now());
        answer[24..32].copy_from_slice(&asked[40..48]);
        answer[32..40].copy_from_slice(&now());
        answer[40..48].copy_from_slice(&now());
        socket.send_to(&answer, from).map_err(|e| e.to_string())?;
    }
}

/// Vouches for the clock as a time daemon does, with this besides.
fn kept(status: libc::c_int) -> Done {
    // SAFETY: `timex` is a plain C structure of integers, for which all-zero bytes are a valid value.
    let mut timex: libc::timex = unsafe { zeroed() };
    timex.modes = libc::ADJ_STATUS | libc::ADJ_MAXERROR | libc::ADJ_ESTERROR;
    timex.status = libc::STA_PLL | status;
    timex.maxerror = 1000;
    adjust(timex)
}

/// Sets the clock by the call that mostly only asks.
fn inject(seconds: i64) -> Done {
    // SAFETY: as above.
    let mut timex: libc::timex = unsafe { zeroed() };
    timex.modes = libc::ADJ_SETOFFSET;
    timex.time.tv_sec = seconds;
    adjust(timex)
}

fn adjust(mut timex: libc::timex) -> Done {
    // SAFETY: the pointer is to a live, writable structure of the type that the call expects, and it does not outlive the call.
    let state = unsafe { libc::clock_adjtime(libc::CLOCK_REALTIME, &raw mut timex) };
    if state < 0 { Err(std::io::Error::last_os_error().to_string()) } else { Ok(()) }
}

/// Moves the battery clock by so much as `hwclock --set` does.
fn battery(seconds: i64) -> Done {
    const RTC_SET_TIME: libc::Ioctl = 0x4024_700A;
    let shown = std::fs::read_to_string("/sys/class/rtc/rtc0/since_epoch").map_err(|e| e.to_string())?;
    let then = shown.trim().parse::<i64>().map_err(|e| e.to_string())? + seconds;
    let then = jiff::Timestamp::from_second(then).map_err(|e| e.to_string())?.to_zoned(jiff::tz::TimeZone::UTC);
    let (hour, minute, second) = (then.hour().into(), then.minute().into(), then.second().into());
    // `struct rtc_time`: as `tm`, of which nobody reads the last three.
    let time: [libc::c_int; 9] =
        [second, minute, hour, then.day().into(), libc::c_int::from(then.month()) - 1, libc::c_int::from(then.year()) - 1900, 0, 0, 0];
    let device = std::fs::File::open("/dev/rtc0").map_err(|e| format!("/dev/rtc0: {e}"))?;
    // SAFETY: the descriptor is open, and the pointer is to a live array of the size that the call reads.
    let done = unsafe { libc::ioctl(std::os::fd::AsRawFd::as_raw_fd(&device), RTC_SET_TIME, time.as_ptr()) };
    if done == 0 { Ok(()) } else { Err(std::io::Error::last_os_error().to_string()) }
}

/// Switches the audit on, with the rule that a hardened system has about its clock. Names as in the kernel's `audit.h`.
fn audit() -> Done {
    const AUDIT_SET: u16 = 1001;
    const AUDIT_ADD_RULE: u16 = 1011;
    const STATUS_ENABLED: u32 = 1;
    const FILTER_EXIT: u32 = 4;
    const ALWAYS: u32 = 2;
    const FIELD_ARCH: u32 = 11;
    const EQUAL: u32 = 0x4000_0000;
    const ARCH_X86_64: u32 = 0xC000_003E;
    // Flags, action, count; a bit for each call; 64 fields, values and operators each; the length of the strings behind.
    let mut rule = [0_u32; 3 + 64 + 3 * 64 + 1];
    rule[..3].copy_from_slice(&[FILTER_EXIT, ALWAYS, 1]);
    for call in [libc::SYS_settimeofday, libc::SYS_clock_settime, libc::SYS_adjtimex, libc::SYS_clock_adjtime] {
        let call = usize::try_from(call).map_err(|e| e.to_string())?;
        rule[3 + call / 32] |= 1 << (call % 32);
    }
    (rule[67], rule[131], rule[195]) = (FIELD_ARCH, ARCH_X86_64, EQUAL);
    let mut status = [0_u32; 10];
    status[..2].copy_from_slice(&[STATUS_ENABLED, 1]);
    tell_audit(AUDIT_SET, &status)?;
    tell_audit(AUDIT_ADD_RULE, &rule)
}

fn tell_audit(kind: u16, words: &[u32]) -> Done {
    use rustix::net::netlink::{AUDIT, SocketAddrNetlink};
    use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType};
    const REQUEST_WITH_ACK: u16 = 5;
    const ERROR: u16 = 2;
    let body: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let length = u32::try_from(16 + body.len()).map_err(|e| e.to_string())?;
    let head = [length.to_ne_bytes().to_vec(), kind.to_ne_bytes().to_vec(), REQUEST_WITH_ACK.to_ne_bytes().to_vec(), vec![0; 8]].concat();
    let told = |e: rustix::io::Errno| format!("the audit: {e}");
    let socket = rustix::net::socket(AddressFamily::NETLINK, SocketType::RAW, Some(AUDIT)).map_err(told)?;
    rustix::net::sendto(&socket, &[head, body].concat(), SendFlags::empty(), &SocketAddrNetlink::new(0, 0)).map_err(told)?;
    let mut answer = [0_u8; 4096];
    loop {
        rustix::net::recv(&socket, &mut answer[..], RecvFlags::empty()).map_err(told)?;
        if u16::from_ne_bytes([answer[4], answer[5]]) == ERROR {
            return match i32::from_ne_bytes([answer[16], answer[17], answer[18], answer[19]]) {
                0 => Ok(()),
                error => Err(format!("the audit refuses {kind}: {}", std::io::Error::from_raw_os_error(-error))),
            };
        }
    }
}
