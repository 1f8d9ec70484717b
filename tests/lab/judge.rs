//! Comparing an answer with what was staged. Pure, and tested before every pass by [`self_check`].

use isonet::model::Cause;
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::ask::Answer;
use crate::shell::{Done, Said};
use crate::table::Nature;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Certainty {
    Likely,
    Proven,
}

impl Certainty {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Certainty::Likely => "likely",
            Certainty::Proven => "proven",
        }
    }
}

/// What must be answered, fixed before the product is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expect {
    /// The root causes that are right; empty = healthy, no verdict at all.
    pub(crate) roots: &'static [&'static str],
    pub(crate) certainty: Certainty,
    /// Less than that is right too, down to here: where it hangs on what the network happens to say in time.
    pub(crate) floor: Certainty,
    /// Honest twins that may stand behind the root, never proven.
    pub(crate) also: &'static [&'static str],
    pub(crate) status: &'static [i32],
    pub(crate) connected: Option<bool>,
    /// Exactly one verdict, and not a critical one.
    pub(crate) alone_and_mild: bool,
    /// Hostile input: any honest answer will do, as long as it is one, and in time.
    pub(crate) any: bool,
    /// Independent faults beside the root; each must be named too, at any certainty.
    pub(crate) beside: &'static [&'static str],
    /// Connected or not hangs on luck; the exit status must say the same.
    pub(crate) either: bool,
    /// What the root's subject must contain, where another one would be wrong.
    pub(crate) about: Option<&'static str>,
    /// The product is not expected to know this yet, and why. A wrong answer does not count, a false proof does.
    pub(crate) planned: Option<&'static str>,
}

impl Expect {
    pub(crate) const HEALTHY: Expect = Expect {
        roots: &[],
        certainty: Certainty::Proven,
        floor: Certainty::Proven,
        also: &[],
        status: &[0],
        connected: Some(true),
        alone_and_mild: false,
        any: false,
        beside: &[],
        either: false,
        about: None,
        planned: None,
    };

    pub(crate) const fn broken(roots: &'static [&'static str], certainty: Certainty) -> Expect {
        Expect { roots, certainty, floor: certainty, status: &[20], connected: Some(false), ..Expect::HEALTHY }
    }

    pub(crate) const fn or(self, also: &'static [&'static str]) -> Expect {
        Expect { also, ..self }
    }

    pub(crate) const fn at_least(self, floor: Certainty) -> Expect {
        Expect { floor, ..self }
    }

    pub(crate) const fn beside(self, beside: &'static [&'static str]) -> Expect {
        Expect { beside, ..self }
    }

    pub(crate) const fn about(self, subject: &'static str) -> Expect {
        Expect { about: Some(subject), ..self }
    }

    #[expect(dead_code, reason = "for the next fault that is staged before the product knows it")]
    pub(crate) const fn planned(self, why: &'static str) -> Expect {
        Expect { planned: Some(why), ..self }
    }

    /// The same fault where one can still settle.
    pub(crate) const fn degraded(self) -> Expect {
        Expect { status: &[10], connected: Some(true), ..self }
    }

    pub(crate) fn nature(&self) -> Nature {
        if self.any {
            Nature::Hostile
        } else if self.roots.is_empty() {
            Nature::Healthy
        } else {
            Nature::Broken
        }
    }

    /// In words, for the table.
    pub(crate) fn text(&self) -> String {
        if self.any {
            return "any answer in time".to_owned();
        }
        let connected = if self.either { "either" } else { connected_text(self.connected) };
        let status = self.status.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
        if self.roots.is_empty() {
            return format!("no verdict, exit {status}, {connected}");
        }
        let roots = self.roots.join(" or ");
        let beside: String = self.beside.iter().map(|code| format!(" + {code}")).collect();
        let certainty = if self.floor == self.certainty {
            self.certainty.name().to_owned()
        } else {
            format!("{} or {}", self.certainty.name(), self.floor.name())
        };
        format!("{roots} {certainty}{beside}, exit {status}, {connected}")
    }
}

fn connected_text(connected: Option<bool>) -> &'static str {
    match connected {
        Some(true) => "connected",
        Some(false) => "disconnected",
        None => "unknown",
    }
}

/// What was answered, in the same words as [`Expect::text`].
pub(crate) fn answer_text(answer: &Answer) -> String {
    let status = answer.said.status.map_or("killed".to_owned(), |s| s.to_string());
    let Ok(json) = &answer.json else {
        return format!("no JSON, exit {status}");
    };
    let list: Vec<String> = verdicts(json).iter().map(|v| format!("{} {}", text(v, "cause"), text(v, "certainty"))).collect();
    let list = if list.is_empty() { "no verdict".to_owned() } else { list.join(" + ") };
    format!("{list}, exit {status}, {}", connected_text(json["connected"].as_bool()))
}

/// The cause the answer puts first, for the confusion table.
pub(crate) fn root(answer: &Answer) -> String {
    let Ok(json) = &answer.json else {
        return "(no JSON)".to_owned();
    };
    verdicts(json).first().map_or("(none)".to_owned(), |v| text(v, "cause").to_owned())
}

pub(crate) fn took_ms(answer: &Answer) -> Option<f64> {
    answer.json.as_ref().ok()?["took_ms"].as_f64()
}

fn verdicts(json: &Value) -> &[Value] {
    json["verdicts"].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or("?")
}

/// Everything that is wrong with an answer; empty if it is right.
pub(crate) fn judge(expect: &Expect, answer: &Answer) -> Vec<String> {
    let json = match &answer.json {
        Ok(json) => json,
        Err(e) => return vec![format!("stdout is not one JSON document: {e}")],
    };
    let mut wrong = Vec::new();
    if text(json, "schema") != "diagnosis/1" {
        wrong.push(format!("schema is {}", json["schema"]));
    }
    if took_ms(answer).is_none_or(|ms| ms > 10_000.0) {
        wrong.push(format!("took_ms is {}", json["took_ms"]));
    }
    if !json["verdicts"].is_array() || !json["path"].is_array() {
        wrong.push("verdicts and path are not both lists".to_owned());
    }
    if expect.any {
        if !matches!(answer.said.status, Some(0 | 10 | 20 | 40)) {
            wrong.push(format!("exit {:?}", answer.said.status));
        }
        return wrong;
    }
    if !answer.said.status.is_some_and(|s| expect.status.contains(&s)) {
        wrong.push(format!("exit {:?} instead of {:?}", answer.said.status, expect.status));
    }
    let connected = match answer.said.status {
        Some(0 | 10) if expect.either => Some(true),
        Some(20) if expect.either => Some(false),
        _ if expect.either => None,
        _ => expect.connected,
    };
    if json["connected"].as_bool() != connected || (connected.is_none() && !json["connected"].is_null()) {
        wrong.push(format!("connected is {}", json["connected"]));
    }
    judge_verdicts(expect, verdicts(json), &mut wrong);
    wrong
}

fn judge_verdicts(expect: &Expect, verdicts: &[Value], wrong: &mut Vec<String>) {
    match verdicts.first() {
        None if !expect.roots.is_empty() => wrong.push("no verdict".to_owned()),
        Some(first) if !expect.roots.is_empty() => {
            if !expect.roots.contains(&text(first, "cause")) {
                wrong.push(format!("the root is {}", text(first, "cause")));
            } else if ![expect.certainty.name(), expect.floor.name()].contains(&text(first, "certainty")) {
                wrong.push(format!("the root is only or already {}", text(first, "certainty")));
            }
            if let Some(about) = expect.about.filter(|about| !text(first, "subject").contains(about)) {
                wrong.push(format!("the root is about {}, not {about}", text(first, "subject")));
            }
        }
        _ => {}
    }
    for verdict in verdicts {
        let (cause, certainty) = (text(verdict, "cause"), text(verdict, "certainty"));
        let is_root = expect.roots.contains(&cause) || expect.beside.contains(&cause);
        if !is_root && !expect.also.contains(&cause) {
            wrong.push(format!("false cause {cause} ({certainty})"));
        }
        if !is_root && certainty == "proven" {
            wrong.push(format!("falsely proven: {cause}"));
        }
    }
    for code in expect.beside {
        if !verdicts.iter().any(|verdict| text(verdict, "cause") == *code) {
            wrong.push(format!("{code} is not named"));
        }
    }
    if expect.alone_and_mild {
        if verdicts.len() != 1 {
            wrong.push(format!("{} verdicts instead of one", verdicts.len()));
        }
        if verdicts.iter().any(|v| text(v, "severity") == "critical") {
            wrong.push("critical though one can settle".to_owned());
        }
    }
}

/// How many causes are called proven that were not staged. No case is lenient about these.
pub(crate) fn falsely_proven(expect: &Expect, answer: &Answer) -> usize {
    let Ok(json) = &answer.json else { return 0 };
    let staged = |cause: &str| expect.any || expect.roots.contains(&cause) || expect.beside.contains(&cause);
    verdicts(json).iter().filter(|v| text(v, "certainty") == "proven" && !staged(text(v, "cause"))).count()
}

/// How many causes are named, at whatever certainty, that are neither staged nor an honest twin of what is.
pub(crate) fn false_causes(expect: &Expect, answer: &Answer) -> usize {
    let Ok(json) = &answer.json else { return 0 };
    let lists = [expect.roots, expect.beside, expect.also];
    let fair = |cause: &str| expect.any || lists.iter().any(|list| list.contains(&cause));
    verdicts(json).iter().filter(|v| !fair(text(v, "cause"))).count()
}

/// The product's own JSON Schema of `diagnosis/1`, ready to be held against answers.
pub(crate) fn schema() -> Done<Validator> {
    let text: Value = serde_json::from_str(isonet::report::SCHEMA).map_err(|e| format!("the product's schema is no JSON: {e}"))?;
    jsonschema::validator_for(&text).map_err(|e| format!("the product's schema is none: {e}"))
}

/// Where an answer leaves the schema.
pub(crate) fn against_schema(schema: &Validator, answer: &Answer) -> Vec<String> {
    let Ok(json) = &answer.json else {
        return Vec::new();
    };
    schema.iter_errors(json).map(|e| format!("schema: {e} at {}", e.instance_path())).collect()
}

/// Codes the cases expect and the product does not know.
pub(crate) fn unknown_codes() -> Vec<String> {
    crate::cases::all()
        .flat_map(|case| case.expect.roots.iter().chain(case.expect.also).chain(case.expect.beside))
        .filter(|code| !Cause::ALL.iter().any(|cause| cause.code() == **code))
        .map(|code| format!("the product knows no cause {code}"))
        .collect()
}

/// A judge that lets everything pass would make a green lab worthless: it must refuse these.
pub(crate) fn self_check() -> Vec<String> {
    const FAULT: Expect = Expect::broken(&["dns.timeout"], Certainty::Likely).or(&["centre.outage"]);
    let verdict = |cause: &str, certainty: &str| json!({"cause": cause, "certainty": certainty, "severity": "high"});
    let document = |connected: Value, verdicts: Vec<Value>| json!({"schema": "diagnosis/1", "took_ms": 12, "connected": connected, "path": [], "verdicts": verdicts});
    let broken = |verdicts: Vec<Value>| document(json!(false), verdicts);
    let right = verdict("dns.timeout", "likely");
    let twin = verdict("centre.outage", "possible");
    let one_mild = Expect { alone_and_mild: true, ..FAULT };
    let two = Expect { also: &[], ..FAULT }.beside(&["centre.outage"]);
    let lucky = Expect { either: true, status: &[10, 20], ..FAULT };
    let about =
        |subject: &str| broken(vec![json!({"cause": "dns.timeout", "certainty": "likely", "severity": "high", "subject": subject})]);
    let table: [(&str, Expect, i32, Value, bool); 19] = [
        ("the right subject passes", FAULT.about("127.0.0.53"), 20, about("resolver:127.0.0.53"), true),
        ("another subject fails", FAULT.about("127.0.0.53"), 20, about("resolver:10.0.0.1"), false),
        ("root and independent second pass", two, 20, broken(vec![right.clone(), verdict("centre.outage", "proven")]), true),
        ("a root without its second fails", two, 20, broken(vec![right.clone()]), false),
        ("a second in front of the root fails", two, 20, broken(vec![twin.clone(), right.clone()]), false),
        ("either way passes if the status says so", lucky, 10, document(json!(true), vec![right.clone()]), true),
        ("either way fails if the status says otherwise", lucky, 10, broken(vec![right.clone()]), false),
        ("the right root passes", FAULT, 20, broken(vec![right.clone()]), true),
        ("an honest twin behind it passes", FAULT, 20, broken(vec![right.clone(), twin.clone()]), true),
        ("a twin in front fails", FAULT, 20, broken(vec![twin.clone(), right.clone()]), false),
        ("no verdict fails", FAULT, 20, broken(vec![]), false),
        ("more certain than fixed fails", FAULT, 20, broken(vec![verdict("dns.timeout", "proven")]), false),
        ("a proven twin fails", FAULT, 20, broken(vec![right.clone(), verdict("centre.outage", "proven")]), false),
        ("a false cause fails", FAULT, 20, broken(vec![right.clone(), verdict("line.down", "possible")]), false),
        ("a wrong exit status fails", FAULT, 0, broken(vec![right.clone()]), false),
        ("unknown for disconnected fails", FAULT, 20, document(Value::Null, vec![right.clone()]), false),
        ("health passes", Expect::HEALTHY, 0, document(json!(true), vec![]), true),
        ("a verdict on health fails", Expect::HEALTHY, 0, document(json!(true), vec![twin.clone()]), false),
        ("two where one is due fails", one_mild, 20, broken(vec![right, twin]), false),
    ];
    let mut wrong = Vec::new();
    for (what, expect, status, json, passes) in table {
        let said = Said { status: Some(status), out: String::new(), err: String::new() };
        let answer = Answer { said, json: Ok(json), wall_ms: 0 };
        if judge(&expect, &answer).is_empty() != passes {
            wrong.push(format!("the judge is wrong: {what}"));
        }
    }
    wrong
}
