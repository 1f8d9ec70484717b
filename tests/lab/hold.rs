//! One topology for a person: brought up, with a case staged or none, kept until ENTER or a signal.

use std::fs;

use crate::args::Args;
use crate::ask::Ask;
use crate::cases::{self, Case};
use crate::lab::{Lab, Place};
use crate::machine::Run;
use crate::pass::{fresh_seed, lend_product};
use crate::plan::{Kind, Plan};
use crate::shell::Done;

/// Brings it up, says how to enter it, waits, removes it.
pub(crate) fn hold(args: &Args, run: &Run) -> Done {
    let case = args.stage.as_deref().map(find).transpose()?;
    let plan = Plan::draw(args.seed.unwrap_or_else(fresh_seed), kind(args, case)?);
    println!("{plan}");
    let mut lab = Lab::up(run, plan)?;
    lab.product = Some(lend_product(run)?);
    if let Some(case) = case {
        (case.stage)(&mut lab).map_err(|e| format!("not staged: {e}"))?;
        (case.prove)(&lab).map_err(|e| format!("no such effect: {e}"))?;
        println!("staged: {}; due: {}", case.name, case.expect.text());
    }
    explain(&lab, run, case)?;
    let mut line = String::new();
    if std::io::stdin().read_line(&mut line).unwrap_or(0) == 0 {
        // No one at the keyboard: a signal ends this.
        loop {
            std::thread::park();
        }
    }
    lab.down();
    Ok(())
}

fn find(name: &str) -> Done<&'static Case> {
    cases::all().find(|case| case.name == name).ok_or(format!("no case is called {name}; see --list"))
}

fn kind(args: &Args, case: Option<&Case>) -> Done<Kind> {
    let mut kinds = args.kinds.iter().copied();
    let kind = match case {
        Some(case) => kinds.find(|kind| case.on.contains(kind)),
        None => kinds.next(),
    };
    kind.ok_or("this case is not staged on that kind; see --list".to_owned())
}

fn explain(lab: &Lab, run: &Run, case: Option<&Case>) -> Done {
    let product = lend_product(run)?;
    let ask = case.map_or_else(Ask::default, |case| (case.ask)());
    let config = lab.path("isonet.toml");
    fs::write(&config, ask.config(lab)).map_err(|e| format!("cannot write the config: {e}"))?;
    for place in Place::ALL {
        println!("  {:<10} ip netns exec {} bash", place.name(), lab.at(place).name);
    }
    let command = ask.command(lab, &product, &config);
    let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
    println!("  config     {}", config.display());
    println!("  ask        ip {}", words.join(" "));
    println!("ENTER or a signal removes everything");
    Ok(())
}
