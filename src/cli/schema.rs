//! `isonet schema`: the JSON Schemas of what the agent writes.

use super::print;
use crate::{model, report};
use clap::ValueEnum;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// diagnosis（diagnose --json 的输出）或 incident（记录）/ diagnosis (what diagnose --json prints) or incident (a record)
    #[arg(value_name = "NAME", default_value = "diagnosis", hide_possible_values = true)]
    name: Name,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Name {
    #[value(name = "diagnosis", alias = "diagnosis/1")]
    Diagnosis,
    #[value(name = "incident", alias = "incident/1")]
    Incident,
}

pub fn run(arguments: &Arguments) -> u8 {
    let schema = match arguments.name {
        Name::Diagnosis => report::SCHEMA,
        Name::Incident => model::RECORD_JSON_SCHEMA,
    };
    print(schema).err().unwrap_or(0)
}
