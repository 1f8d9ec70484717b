//! `isonet completions`: what a shell needs to complete a command line of isonet. The packages put it where the shell looks.

use super::{grammar, print};
use clap::ValueEnum;
use clap_complete::{Shell, generate};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// bash、zsh 或 fish / bash, zsh or fish
    #[arg(value_name = "SHELL", hide_possible_values = true)]
    shell: Asked,
}

/// The shells that Linux desktops come with.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Asked {
    Bash,
    Zsh,
    Fish,
}

pub fn run(arguments: &Arguments) -> u8 {
    print(&script(arguments.shell)).err().unwrap_or(0)
}

fn script(shell: Asked) -> String {
    let shell = match shell {
        Asked::Bash => Shell::Bash,
        Asked::Zsh => Shell::Zsh,
        Asked::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    generate(shell, &mut grammar::command(), "isonet", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_learns_every_command() {
        for shell in Asked::value_variants() {
            let script = script(*shell);
            for command in grammar::command().get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell:?} does not know {}", command.get_name());
            }
        }
    }
}
