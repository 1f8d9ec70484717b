//! An emulated PC: sticks are plugged in and pulled, the date is set, the battery clock is wrong, the power fails, and an enrolled
//! `isonet run` inside tells of it.
//!
//! ```text
//! cargo test --test vm -- --help
//! ```
//! For every case: do it to the PC, prove by its kernel (sysfs, dmesg, mountinfo, the clocks) that it happened, read the record log, compare
//! with what was fixed beforehand. Each thing that is to be told has a twin that is not. The PC reaches nothing outside, and nothing of the
//! machine that it runs on is changed.
#![allow(
    clippy::disallowed_methods,
    reason = "the tests measure and wait by the machine's clock; the product's rule about clocks is not meant here"
)]

mod args;
mod cases;
mod cpio;
mod daemon;
mod forgetful;
mod image;
mod inside;
mod modules;
mod pass;
mod pc;
mod place;
mod qmp;
mod redir;
mod sticks;
mod system;
mod table;

use std::process::ExitCode;

use args::{Args, Depth, Task};

/// Everything here fails with one sentence.
pub(crate) type Done<T = ()> = Result<T, String>;

/// The programs it needs, and the Debian package of each.
const NEEDS: [(&str, &str); 7] = [
    (pc::QEMU, "qemu-system-x86"),
    ("busybox", "busybox-static"),
    ("mkfs.ext4", "e2fsprogs"),
    ("setpriv", "util-linux"),
    ("unshare", "util-linux"),
    ("dpkg-deb", "dpkg"),
    ("ldd", "libc-bin"),
];

fn main() -> ExitCode {
    if let Some(ended) = inside::asked() {
        return ended;
    }
    let args = match Args::parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(e) => {
            eprintln!("vm: {e}");
            return ExitCode::from(64);
        }
    };
    match args.task {
        Task::Help => print!("{}", args::HELP),
        Task::ListForRunner => {}
        Task::List => pass::cases(&args).iter().for_each(|case| println!("{}", case.name)),
        Task::Pass => return perform(&args),
    }
    ExitCode::SUCCESS
}

fn perform(args: &Args) -> ExitCode {
    let work = match tempfile::Builder::new().prefix("isonet-vm-").tempdir() {
        Ok(work) => work,
        Err(e) => return unable(args, &format!("no place to work: {e}")),
    };
    let image = match can_run(args).and_then(|()| pass::prepare(args, work.path())) {
        Ok(image) => image,
        Err(why) => return unable(args, &why),
    };
    match pass::pass(args, &image, work.path()) {
        Ok(true) => return ExitCode::SUCCESS,
        Ok(false) => {}
        Err(why) => println!("FAIL vm: {why}\n0 passed, 1 failed, 0 skipped"),
    }
    ExitCode::FAILURE
}

/// It cannot run here.
fn unable(args: &Args, why: &str) -> ExitCode {
    if args.depth >= Depth::Full {
        println!("FAIL vm: {why}\n0 passed, 1 failed, 0 skipped");
        return ExitCode::FAILURE;
    }
    println!("SKIPPED vm: {why}\n0 passed, 0 failed, 1 skipped");
    ExitCode::SUCCESS
}

fn can_run(args: &Args) -> Done {
    if std::env::consts::ARCH != "x86_64" {
        return Err("the emulated PC is an x86-64 one, and runs what was built here".to_owned());
    }
    let mut missing: Vec<&str> = NEEDS
        .iter()
        .chain(system::NEEDS.iter().filter(|_| args.installed))
        .filter(|(program, _)| image::find(program).is_none())
        .map(|(_, package)| *package)
        .collect();
    missing.dedup();
    if missing.is_empty() {
        // Where there are libraries to list there is need of them.
        let needy = image::run(std::process::Command::new("ldd").arg(image::BUSYBOX)).is_ok();
        return if needy { Err(format!("{} needs libraries; apt-get install busybox-static", image::BUSYBOX)) } else { Ok(()) };
    }
    Err(format!("programs are missing; apt-get install --no-install-recommends {}", missing.join(" ")))
}
