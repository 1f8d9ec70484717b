//! One pass: the image, the PC, one case after the other, the table.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Done;
use crate::args::{Args, Depth};
use crate::cases::{self, Case, Takes};
use crate::daemon::{Ground, shown};
use crate::image::{Fetch, Image, image};
use crate::pc::{Accel, Pc};
use crate::system::system;
use crate::table::{self, Ending};

/// The battery clock at the first start: whatever the day is here, the same day there, and after this program was built.
pub(crate) const RTC: &str = "2027-05-10T04:00:00";
/// A processor that works has Linux up within so long; one that only opens its device never has.
const KVM_BOOT: Duration = Duration::from_secs(8);
/// So often in a pass another PC takes the place of one that has come to a stop: an emulated processor does, seldom and whatever runs on it.
const RESTARTS: u32 = 2;

/// What the PC starts from, made in `work`. An error = it cannot run here.
pub(crate) fn prepare(args: &Args, work: &Path) -> Done<Image> {
    let begin = Instant::now();
    let fetch = if args.depth >= Depth::Full { Fetch::Allowed } else { Fetch::OnlyCached };
    let image = if args.installed { system(work, fetch)? } else { image(work, fetch)? };
    println!("image: {} ({} ms)", image.folder.display(), begin.elapsed().as_millis());
    Ok(image)
}

/// Runs what is wanted; whether nothing failed.
pub(crate) fn pass(args: &Args, image: &Image, work: &Path) -> Done<bool> {
    let accel = accel(args, image, work);
    let wanted: Vec<Case> = cases(args).into_iter().filter(|case| args.wants(case.name)).collect();
    let begin = Instant::now();
    let mut ground = watching(image, work, accel, args, &wanted)?;
    println!("switched on, enrolled and watching, by {accel:?} ({} ms)", begin.elapsed().as_millis());
    if let Some(script) = &args.script {
        let said = ground.pc.run(script)?;
        println!("{}", said.out);
        return Ok(said.status == 0);
    }
    let (mut rows, mut restarts) = (Vec::new(), RESTARTS);
    let all = wanted.clone();
    for case in wanted {
        let ending = if left_out(&case, args) {
            // A pass of the installed PC that is not the long one is whole without it.
            if args.installed {
                continue;
            }
            Ending::Skipped("takes long; tests/run --full does it".to_owned())
        } else {
            let ending = perform(&case, &mut ground, args);
            match (&ending, ground.pc.locked_up()) {
                (Ending::Failed(_), Some(said)) if restarts > 0 => {
                    restarts -= 1;
                    println!("  the emulated PC itself has come to a stop ({said}): another one does it again");
                    ground.pc.cut();
                    ground = watching(image, work, accel, args, &all)?;
                    perform(&case, &mut ground, args)
                }
                _ => ending,
            }
        };
        rows.push((case, ending));
    }
    Ok(table::print(&rows))
}

/// A PC that is switched on, enrolled and watching.
fn watching<'a>(image: &'a Image, work: &Path, accel: Accel, args: &Args, wanted: &[Case]) -> Done<Ground<'a>> {
    let mut ground = Ground::new(image, work, accel, RTC)?;
    ground.thorough = args.depth == Depth::Long;
    if args.script.is_none() && wanted.iter().any(|case| case.takes == Takes::Minute && !left_out(case, args)) {
        // What the agent sees by the minute only is done first and looked for later.
        cases::clock::stage_slow(&mut ground)?;
    }
    Ok(ground)
}

/// Those of this PC.
pub(crate) fn cases(args: &Args) -> Vec<Case> {
    if args.installed { cases::installed() } else { cases::all() }
}

/// A pass of this depth goes without it.
fn left_out(case: &Case, args: &Args) -> bool {
    match (args.installed, args.depth) {
        // Whoever names cases wants just these.
        (true, _) if !args.filters.is_empty() => false,
        (true, depth) => depth < Depth::Long && !case.is_smoke(),
        (false, depth) => depth == Depth::Quick && case.takes != Takes::Little,
    }
}

fn perform(case: &Case, ground: &mut Ground<'_>, args: &Args) -> Ending {
    let begin = Instant::now();
    let mark = match ground.mark() {
        Ok(mark) => mark,
        Err(e) => return Ending::Failed(e),
    };
    let done = (case.run)(ground);
    let (name, took) = (case.name, begin.elapsed().as_millis());
    match done {
        Ok(got) => {
            println!("PASS {name}: {} ({took} ms)", got.what);
            Ending::Passed(got)
        }
        Err(why) => {
            println!("FAIL {name}: {why} ({took} ms)\n  all since: {}", shown(ground.since(mark)));
            if args.json {
                ground.since(mark).iter().for_each(|record| println!("{record}"));
            }
            if let Err(e) = ground.tidy() {
                println!("  not tidied up: {e}");
            }
            Ending::Failed(why)
        }
    }
}

/// KVM where a guest really starts under it, which is found out once for each image.
fn accel(args: &Args, image: &Image, work: &Path) -> Accel {
    if args.tcg || fs::OpenOptions::new().read(true).write(true).open("/dev/kvm").is_err() {
        return Accel::Tcg;
    }
    let known = image.folder.join("accel");
    match fs::read_to_string(&known).as_deref() {
        Ok("kvm") => return Accel::Kvm,
        Ok(_) => return Accel::Tcg,
        Err(_) => {}
    }
    let patience = if args.installed { KVM_BOOT * 2 } else { KVM_BOOT };
    let tried = crate::sticks::state(&work.join("state.img")).and_then(|()| Pc::on(image, work, Accel::Kvm, RTC, patience));
    let accel = if tried.is_ok() { Accel::Kvm } else { Accel::Tcg };
    let _ = fs::write(known, if accel == Accel::Kvm { "kvm" } else { "tcg" });
    accel
}
