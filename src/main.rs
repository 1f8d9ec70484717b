//! The `isonet` binary: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    isonet::cli::main()
}
