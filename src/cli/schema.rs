//! `isonet schema`: the JSON Schemas of what the agent writes.

use super::print;
use crate::{model, report};
use clap::ValueEnum;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// diagnosis、status（这两条命令的 --json）、incident（记录）或 heartbeat / diagnosis, status (what these print as JSON), incident (a record) or heartbeat
    #[arg(value_name = "NAME", default_value = "diagnosis", hide_possible_values = true)]
    name: Name,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Name {
    #[value(name = "diagnosis", alias = "diagnosis/1")]
    Diagnosis,
    #[value(name = "status", alias = "status/1")]
    Status,
    #[value(name = "incident", alias = "incident/1")]
    Incident,
    #[value(name = "heartbeat", alias = "heartbeat/1")]
    Heartbeat,
}

pub fn run(arguments: &Arguments) -> u8 {
    let schema = match arguments.name {
        Name::Diagnosis => report::SCHEMA,
        Name::Status => report::STATUS_SCHEMA,
        Name::Incident => model::RECORD_JSON_SCHEMA,
        Name::Heartbeat => model::HEARTBEAT_JSON_SCHEMA,
    };
    print(schema).err().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use crate::report::{SCHEMA, STATUS_SCHEMA};
    use serde_json::Value;

    #[test]
    fn both_schemas_know_the_same_causes_and_the_same_incidents() {
        let [look, held]: [Value; 2] = [SCHEMA, STATUS_SCHEMA].map(|text| serde_json::from_str(text).expect("it is JSON"));
        assert_eq!(look["$defs"]["cause"]["enum"], held["$defs"]["cause_code"]["enum"]);
        let properties = |schema: &Value| schema["$defs"]["open_incident"]["required"].clone();
        assert_eq!(properties(&look), properties(&held));
    }
}
