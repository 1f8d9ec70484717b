//! `isonet schema`: the JSON Schemas of what the agent writes.

use super::print;
use crate::report;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// 哪一个 / Which one
    #[arg(default_value = "diagnosis/1", value_parser = ["diagnosis/1"])]
    name: String,
}

pub fn run(_: &Arguments) -> u8 {
    print(report::SCHEMA).err().unwrap_or(0)
}
