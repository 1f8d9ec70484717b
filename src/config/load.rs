//! Finding, reading, merging and checking the files.
//!
//! Files are read once, bounded, and only here. A problem in any of them fails the whole: a configuration that is half right would watch
//! half of what was asked for. Nothing is changed by loading.

use super::named::{self, NamedFile};
use super::problem::{Located, Problem, Source, Unread};
use super::schema::ROOT;
use super::tree::{Node, Place, Table, get, merge, plain};
use super::types::Config;
use super::{meaning, rule_set, walk};
use crate::catalogue::RuleSet;
use crate::sys::files::{self, ReadError};
use serde::Deserialize;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

/// Where the file is looked for when none is given.
pub const DEFAULT_FILE: &str = "/etc/isonet/isonet.toml";

/// Largest file read, bytes: a thousand times what anybody writes.
pub const LARGEST_FILE: u64 = 1 << 20;

/// The keys that say where to ask, and in which language to answer.
const PLACES: [&str; 3] = ["language", "state-dir", "run-dir"];

/// A configuration that may be used.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// What it says.
    pub config: Config,
    /// The rules that apply; `None` = no set is configured and no article is cited.
    pub rules: Option<RuleSet>,
    /// The files read, in the order of merging, a bureau's rules last; empty = the built-in defaults.
    pub sources: Vec<PathBuf>,
    /// What is worth telling and no problem.
    pub notes: Vec<LoadNote>,
    /// The files that it names, in the order of their places. None of them was looked at.
    pub files: Vec<NamedFile>,
}

/// What is worth telling about loading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadNote {
    /// There is no file at the default place: the built-in defaults hold.
    NoFile(PathBuf),
    /// An entry of `conf.d` that was not read, because it is no plain file that ends in `.toml`.
    Ignored(PathBuf),
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file that was asked for is not there.
    #[error("configuration file {0} does not exist")]
    Missing(PathBuf),
    /// A file or directory could not be read.
    #[error("cannot read {path}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What was named is no plain file: a directory, a pipe or a device.
    #[error("{0} is not a plain file")]
    NotAFile(PathBuf),
    /// The files were read and are not right.
    #[error("{} problem(s) in the configuration", .0.len())]
    Invalid(Vec<Located>),
}

impl ConfigError {
    /// The exit status: 66 missing, 77 not permitted, 74 not readable, 78 not right.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Missing(_) => 66,
            Self::Unreadable { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => 77,
            Self::Unreadable { .. } | Self::NotAFile(_) => 74,
            Self::Invalid(_) => 78,
        }
    }
}

/// Reads the configuration: the given file, or the one at the default place if there is one, and `conf.d/*.toml` beside it in the
/// order of their names.
pub fn load(path: Option<&Path>) -> Result<Loaded, ConfigError> {
    load_from(path, Path::new(DEFAULT_FILE))
}

/// The same with another default place.
pub fn load_from(path: Option<&Path>, default: &Path) -> Result<Loaded, ConfigError> {
    load_over(path, default, &[])
}

/// As [`load`], as though these files of `conf.d` stood there already with this content: what a whole configuration would be.
pub fn load_with(path: Option<&Path>, planned: &[(PathBuf, Vec<u8>)]) -> Result<Loaded, ConfigError> {
    load_over(path, Path::new(DEFAULT_FILE), planned)
}

fn load_over(path: Option<&Path>, default: &Path, planned: &[(PathBuf, Vec<u8>)]) -> Result<Loaded, ConfigError> {
    let main = path.unwrap_or(default);
    let mut notes = Vec::new();
    let mut files = Vec::new();
    match read(main) {
        Ok(file) => files.push(file),
        Err(ConfigError::Missing(file)) if path.is_none() => notes.push(LoadNote::NoFile(file)),
        Err(error) => return Err(error),
    }
    let mut below = drop_ins(main, &mut notes)?;
    below.extend(planned.iter().map(|(file, _)| file.clone()));
    below.sort();
    below.dedup();
    for file in below {
        let known = planned.iter().find(|(planned, _)| *planned == file);
        files.push(known.map_or_else(|| read(&file), |known| Ok(known.clone()))?);
    }
    let mut sources: Vec<PathBuf> = files.iter().map(|(path, _)| path.clone()).collect();
    let Understood { config, chosen, files } = understand(files)?;
    let rules = chosen.map(|chosen| chosen.rules(&mut sources)).transpose()?;
    Ok(Loaded { config, rules, sources, notes, files })
}

/// Language and directories of a configuration that is not right, as far as they can be made out: for a command that only asks the service
/// or reads its records. All the rest is as though it were not there.
pub fn load_places(path: Option<&Path>) -> Config {
    let main = path.unwrap_or(Path::new(DEFAULT_FILE));
    let files = std::iter::once(main.to_owned()).chain(drop_ins(main, &mut Vec::new()).unwrap_or_default());
    let sources = files.filter_map(|file| read(&file).ok()).filter_map(|(path, bytes)| decode(path, bytes).ok());
    let mut whole = Table::new();
    for (index, source) in sources.enumerate() {
        merge(&mut whole, walk::file(ROOT, index, &source).0);
    }
    whole.retain(|key, _| PLACES.contains(&key.as_str()));
    // A value that does not fit is not in it.
    Config::deserialize(plain(whole)).unwrap_or_default()
}

/// One that was in force and is remembered, with the rules that it names as far as they can be read now; no article is cited otherwise.
pub fn remembered(config: Config) -> Loaded {
    let own = |path: &str| {
        let (path, bytes) = read(Path::new(path)).ok()?;
        rule_set::own(&decode(path, bytes).ok()?).ok()
    };
    let rules = config.rules.set.as_deref().and_then(|set| if set == rule_set::EXAMPLE { Some(rule_set::example()) } else { own(set) });
    Loaded { config, rules, sources: Vec::new(), notes: Vec::new(), files: Vec::new() }
}

/// A plain file, bounded; a pipe is refused and not waited for.
fn read(path: &Path) -> Result<(PathBuf, Vec<u8>), ConfigError> {
    let owned = || path.to_owned();
    match files::read(path, LARGEST_FILE) {
        Ok(bytes) => Ok((owned(), bytes)),
        Err(ReadError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Err(ConfigError::Missing(owned())),
        Err(ReadError::Io { source, .. }) => Err(ConfigError::Unreadable { path: owned(), source }),
        Err(ReadError::NotAFile { .. }) => Err(ConfigError::NotAFile(owned())),
        Err(ReadError::TooLarge { max, .. }) => Err(ConfigError::Invalid(vec![whole_file(owned(), Problem::TooLarge(max))])),
    }
}

/// The directory of the files that are merged after this one.
pub fn drop_in_dir(main: &Path) -> PathBuf {
    main.parent().unwrap_or(Path::new("")).join("conf.d")
}

fn drop_ins(main: &Path, notes: &mut Vec<LoadNote>) -> Result<Vec<PathBuf>, ConfigError> {
    let directory = drop_in_dir(main);
    let unreadable = |source| ConfigError::Unreadable { path: directory.clone(), source };
    let entries = match std::fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(unreadable)?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        // What cannot be asked (a dangling link) is read and fails with its name. A pipe is no file.
        let special = std::fs::metadata(&path).is_ok_and(|meta| !meta.is_file());
        if hidden || special || path.extension() != Some(OsStr::new("toml")) {
            notes.push(LoadNote::Ignored(path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The value of `rules.set`, and where it stands.
struct ChosenSet {
    value: String,
    source: Source,
    place: Place,
}

impl ChosenSet {
    fn of(whole: &Table, sources: &[Source]) -> Option<Self> {
        let node = get(get(whole, "rules").and_then(Node::table)?, "set")?;
        let source = sources.get(node.place.file)?.clone();
        Some(Self { value: node.text()?.to_owned(), source, place: node.place.clone() })
    }

    /// The set itself; a file that was read is added to the sources.
    fn rules(&self, sources: &mut Vec<PathBuf>) -> Result<RuleSet, ConfigError> {
        if self.value == rule_set::EXAMPLE {
            return Ok(rule_set::example());
        }
        let why = match read(Path::new(&self.value)) {
            Ok((path, bytes)) => {
                let source = decode(path.clone(), bytes).map_err(|problem| ConfigError::Invalid(vec![*problem]))?;
                let rules = rule_set::own(&source).map_err(ConfigError::Invalid)?;
                sources.push(path);
                return Ok(rules);
            }
            Err(ConfigError::Missing(_)) => Unread::Missing,
            Err(ConfigError::NotAFile(_)) => Unread::NotAFile,
            Err(ConfigError::Unreadable { source, .. }) => Unread::Error(source.to_string()),
            Err(too_large @ ConfigError::Invalid(_)) => return Err(too_large),
        };
        let problem = Problem::RuleSetUnreadable { path: PathBuf::from(&self.value), why };
        Err(ConfigError::Invalid(vec![self.source.locate(&self.place.span, "rules.set".to_owned(), problem)]))
    }
}

/// Checks and merges files that were read, the later over the earlier. Pure: the same bytes always give the same answer. A bureau's rule
/// set that they name is not read.
pub fn parse(files: Vec<(PathBuf, Vec<u8>)>) -> Result<Config, ConfigError> {
    understand(files).map(|understood| understood.config)
}

/// What files say.
struct Understood {
    config: Config,
    chosen: Option<ChosenSet>,
    files: Vec<NamedFile>,
}

fn understand(files: Vec<(PathBuf, Vec<u8>)>) -> Result<Understood, ConfigError> {
    let mut problems = Vec::new();
    let mut sources = Vec::new();
    for (path, bytes) in files {
        match decode(path, bytes) {
            Ok(source) => sources.push(source),
            Err(problem) => problems.push(*problem),
        }
    }
    let mut whole = Table::new();
    for (index, source) in sources.iter().enumerate() {
        let (table, found) = walk::file(ROOT, index, source);
        problems.extend(found);
        merge(&mut whole, table);
    }
    // Where a file was not understood, what it would have added is unknown: nothing can be called missing.
    let understood = problems.iter().all(|p| !matches!(p.problem, Problem::Syntax(_) | Problem::NotUtf8(_) | Problem::TooLarge(_)));
    if understood {
        let misfits = walk::whole(ROOT, &whole, None).into_iter().chain(meaning::check(&whole));
        problems.extend(misfits.filter_map(|(place, key, problem)| locate(&sources, &place, key, problem)));
    }
    if problems.is_empty() {
        let chosen = ChosenSet::of(&whole, &sources);
        let files = named::collect(&whole, &sources);
        return Config::deserialize(plain(whole)).map(|config| Understood { config, chosen, files }).map_err(|error| {
            // The schema and the types disagree. That is our mistake, yet it must not be a silent one.
            let path = sources.last().map(|source| source.path.clone()).unwrap_or_default();
            ConfigError::Invalid(vec![whole_file(path, Problem::Refused(error.message().to_owned()))])
        });
    }
    let rank = |file: &Path| sources.iter().position(|source| source.path == file);
    problems.sort_by_key(|problem| (rank(&problem.file), problem.line, problem.column));
    problems.dedup();
    Err(ConfigError::Invalid(problems))
}

fn locate(sources: &[Source], place: &Place, key: String, problem: Problem) -> Option<Located> {
    Some(sources.get(place.file)?.locate(&place.span, key, problem))
}

fn whole_file(file: PathBuf, problem: Problem) -> Located {
    Located { file, line: 1, column: 1, key: String::new(), problem, excerpt: None }
}

fn decode(path: PathBuf, bytes: Vec<u8>) -> Result<Source, Box<Located>> {
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(Box::new(whole_file(path, Problem::TooLarge(LARGEST_FILE))));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Source { path, text: text.trim_start_matches('\u{feff}').to_owned() }),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let good = String::from_utf8_lossy(&error.as_bytes()[..at]).into_owned();
            let source = Source { path, text: good };
            Err(Box::new(Located { excerpt: None, ..source.locate(&(at..at), String::new(), Problem::NotUtf8(at)) }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Lang;
    use crate::config::render_error;
    use crate::testing::{cases, hostile};
    use proptest::prelude::*;

    const SHIPPED: &str = include_str!("../../config/isonet.toml");

    /// The sample with every example line in force.
    fn sample() -> Vec<u8> {
        let example =
            |line: &str| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ') || rest.starts_with("  {")).map(str::to_owned);
        let lines = SHIPPED.lines().filter(|line| !line.starts_with("# ") && !line.is_empty());
        lines.map(|line| example(line).unwrap_or_else(|| line.to_owned()) + "\n").collect::<String>().into_bytes()
    }

    mod any_bytes {
        use super::*;

        fn rules() -> Vec<u8> {
            b"set = \"610102\"\nissuer = \"x\"\nversion = \"1\"\n[[article]]\nnumber = \"1\"\ntext = \"y.\"\ncodes = [\"gateway.changed\"]\n".to_vec()
        }

        fn shown(error: &ConfigError, longest: usize) -> Result<(), TestCaseError> {
            for lang in Lang::ALL {
                let text = render_error(error, lang);
                prop_assert!(!text.contains('\u{1b}'), "an escape character is shown");
                // So many problems of a file are listed, each within a screen.
                prop_assert!(text.len() <= 4096 * (longest + 1));
            }
            Ok(())
        }

        proptest! {
            #![proptest_config(cases())]

            #[test]
            fn of_a_configuration_are_taken_or_told(bytes in hostile(vec![sample()], 400)) {
                if let Err(error) = parse(vec![("x.toml".into(), bytes)]) {
                    let ConfigError::Invalid(problems) = &error else { return Err(TestCaseError::fail("not a finding")) };
                    prop_assert!(!problems.is_empty() && !problems.iter().any(|p| matches!(p.problem, Problem::Refused(_))), "{problems:?}");
                    shown(&error, problems.len())?;
                }
            }

            #[test]
            fn of_a_rule_set_are_taken_or_told(bytes in hostile(vec![rules()], 400)) {
                let told = match decode("r.toml".into(), bytes) {
                    Ok(source) => rule_set::own(&source).err(),
                    Err(problem) => Some(vec![*problem]),
                };
                if let Some(problems) = told {
                    shown(&ConfigError::Invalid(problems.clone()), problems.len())?;
                }
            }
        }
    }
}
