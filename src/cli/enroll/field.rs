//! `isonet enroll --profile FILE --sites FILE`: makes the configuration of this PC from what a region has in common and a list of its
//! terminals, before the baseline is taken. Asks nobody anything and sends nothing.
//!
//! Nothing is written before everything has been checked: the row, what a person set on this PC, the whole configuration as it would be, and the
//! files that it names. A second run with the same files writes nothing.

mod told;

use super::super::check_config::files as named_files;
use super::super::grammar::{Global, clean};
use super::super::{IO, NOT_PERMITTED, complain};
use crate::baseline::{Seen, owners_now};
use crate::catalogue::Lang;
use crate::config::{self, ConfigError, Loaded, Located, drop_in_dir, load_with, render_error, render_problem};
use crate::field::{
    self, Chosen, FieldError, HEAD, LARGEST, List, Live, Pc, Peer, REGION_FILE, SITE_FILE, SiteFile, Standing, Tunnel, Wanted, Written,
    decode, standing,
};
use crate::model::LinkKind;
use crate::sys::files::{self, ReadError};
use crate::sys::listeners;
use crate::sys::netlink::Snapshot;
use std::fs::{DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use told::{Deed, Report};

/// A file that was named is not there (`EX_NOINPUT`).
const MISSING: u8 = 66;
/// The configuration would not be right (`EX_CONFIG`).
const NOT_RIGHT: u8 = 78;
/// The service reads it, and so may everybody: there are paths of secrets in it and never secrets.
const FILE_MODE: u32 = 0o644;
const DIRECTORY_MODE: u32 = 0o755;
/// Files of `conf.d` that are compared.
const MOST_OTHERS: usize = 100;

#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub(super) struct Arguments {
    /// 本地区共用的配置片段，与 --sites 同用 / What the region has in common: a fragment of configuration; goes with --sites
    #[arg(long, value_name = "FILE", requires = "sites")]
    profile: Option<PathBuf>,
    /// 终端清单（CSV），一行一台 / List of terminals (CSV), one row each
    #[arg(long, value_name = "FILE", requires = "profile")]
    sites: Option<PathBuf>,
    /// 本机是清单中哪个编码的；不填则按主机名、网卡地址、地址查找 / The code of this PC's row [found by host name, card or address]
    #[arg(long, value_name = "CODE", requires = "sites")]
    site: Option<String>,
    /// 同一编码有几台时，是哪一台 / Which one, where a code has several
    #[arg(long, value_name = "NAME", requires = "sites")]
    terminal: Option<String>,
}

/// Whether anything is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Only told.
    Show,
    /// Written.
    Write,
}

/// What became of it.
#[derive(Debug)]
pub(super) struct Installed {
    /// What stands above the acceptance sheet.
    pub(super) text: String,
}

impl Arguments {
    /// Whether it is asked for at all.
    pub(super) fn files(&self) -> Option<(&Path, &Path)> {
        self.profile.as_deref().zip(self.sites.as_deref())
    }
}

/// Configures this PC. `Err` = the exit status; what is wrong was said.
pub(super) fn install(global: &Global, arguments: &Arguments, mode: Mode, snapshot: &Snapshot) -> Result<Installed, u8> {
    let (Some(profile), Some(sites)) = (&arguments.profile, &arguments.sites) else { return Err(super::USAGE) };
    let lang = global.lang(config::load_places(global.config.as_deref()).language);
    let refuse = |error: FieldError| {
        complain(&error.render(lang));
        error.exit_code()
    };
    let fragment_bytes = given(profile, config::LARGEST_FILE, lang)?;
    let list_bytes = given(sites, LARGEST, lang)?;
    let (profile_name, sites_name) = (name_of(profile), name_of(sites));
    let fragment = decode(&fragment_bytes).map_err(|at| refuse(FieldError::NotText { file: profile_name.clone(), at }))?;
    let list = List::read(&sites_name, &list_bytes).map_err(refuse)?;
    let pc = this_pc(snapshot);
    let wanted = Wanted { code: arguments.site.as_deref(), terminal: arguments.terminal.as_deref() };
    let chosen = field::choose(&sites_name, &list, &pc, wanted).map_err(refuse)?;
    let site = field::site_file(&sites_name, &list, chosen.row).map_err(refuse)?;
    let place = Place::of(global.config.as_deref());
    let region = field::region_file(&profile_name, &fragment);
    let planned = vec![
        Planned { path: place.dir.join(REGION_FILE), text: region, before: Before::NotRead },
        Planned { path: place.dir.join(SITE_FILE), text: site.text.clone(), before: Before::NotRead },
    ];
    let planned = planned.into_iter().map(|file| file.look(lang)).collect::<Result<Vec<_>, u8>>()?;
    if let Some(theirs) = planned.iter().find(|file| file.standing() == Standing::Theirs) {
        return Err(refuse(FieldError::Changed { file: theirs.path.display().to_string() }));
    }
    let overlaps = place.overlaps(&profile_name, &fragment, &sites_name, &site.text, lang)?.map_err(refuse)?;
    if !overlaps.lost.is_empty() {
        return Err(refuse(FieldError::Overruled { overlaps: overlaps.lost }));
    }
    let source = Source { profile, sites, list: &list, chosen: &chosen, site: &site, dir: &place.dir };
    let loaded = check(global, &planned, source, lang)?;
    let lang = global.lang(loaded.config.language);
    if mode == Mode::Write {
        write(&place.dir, &planned, lang)?;
    }
    let deeds = planned.iter().map(|file| (file.path.clone(), file.deed(mode), file.text.clone())).collect();
    let proposals = field::proposals(&loaded.config, &live(snapshot));
    let off = field::expectations(&list, chosen.row, &pc);
    let report = Report { list: &list, chosen: &chosen, sites: &sites_name, deeds, kept: &overlaps.kept, off, proposals: &proposals };
    Ok(Installed { text: report.render(mode, lang) })
}

/// A file that was named on the command line.
fn given(path: &Path, most: u64, lang: Lang) -> Result<Vec<u8>, u8> {
    files::read(path, most).map_err(|error| {
        let (name, line) = (clean(&path.display().to_string()), clean(&error.line()));
        complain(&if error.is_absent() {
            lang.pick(format!("isonet: 没有 {name} 这个文件"), format!("isonet: there is no file {name}"))
        } else {
            lang.pick(format!("isonet: 读不了 {name}：{line}"), format!("isonet: cannot read {name}: {line}"))
        });
        status_of(&error)
    })
}

fn status_of(error: &ReadError) -> u8 {
    match error {
        ReadError::Io { source, .. } if source.kind() == ErrorKind::NotFound => MISSING,
        ReadError::Io { source, .. } if source.kind() == ErrorKind::PermissionDenied => NOT_PERMITTED,
        ReadError::Io { .. } | ReadError::NotAFile { .. } => IO,
        ReadError::TooLarge { .. } => NOT_RIGHT,
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// What tells this PC from others.
fn this_pc(snapshot: &Snapshot) -> Pc {
    let links = snapshot.links.ok().into_iter().flatten().filter(|link| link.kind != LinkKind::Loopback);
    let addresses = snapshot.addresses.ok().into_iter().flatten().filter(|address| address.usable());
    let gateways = snapshot.routes.ok().map(|routes| routes.defaults().into_iter().filter_map(|route| route.gateway).collect());
    Pc {
        hostname: files::read_word(Path::new("/proc/sys/kernel/hostname")),
        macs: links.filter_map(|link| link.mac.clone()).collect(),
        addresses: addresses.map(|address| address.net).collect(),
        gateways: gateways.unwrap_or_default(),
    }
}

/// What is connected just now. What cannot be seen is not proposed.
fn live(snapshot: &Snapshot) -> Live {
    let owners = match owners_now() {
        Seen::Seen(owners) => owners,
        Seen::Unseen(_) => Vec::new(),
    };
    let is_tunnel = |kind: &LinkKind| matches!(kind, LinkKind::Tun | LinkKind::Wireguard | LinkKind::Ppp);
    let up = snapshot.links.ok().into_iter().flatten().filter(|link| link.up && is_tunnel(&link.kind));
    let tunnel = |link: &crate::model::Link| {
        let owner = owners.iter().find(|owner| owner.interface == link.name);
        Tunnel {
            interface: link.name.to_string(),
            kind: link.kind.clone(),
            process: owner.map(|owner| owner.process.clone()),
            unit: owner.and_then(|owner| owner.unit.clone()),
        }
    };
    // A connection to one of our own ports was begun by the other side.
    let own: Vec<u16> = listeners::tcp().unwrap_or_default().iter().map(|listener| listener.port).collect();
    let connections = listeners::tcp_connections().unwrap_or_default();
    Live {
        tunnels: up.map(tunnel).collect(),
        peers: connections.into_iter().filter(|(here, _)| !own.contains(&here.port())).map(|(_, address)| Peer { address }).collect(),
        routes: snapshot.routes.ok().map(|table| table.routes.clone()).unwrap_or_default(),
    }
}

/// Where the configuration lies.
struct Place {
    main: PathBuf,
    dir: PathBuf,
}

impl Place {
    fn of(config: Option<&Path>) -> Self {
        let main = config.unwrap_or(Path::new(config::DEFAULT_FILE)).to_owned();
        Self { dir: drop_in_dir(&main), main }
    }

    /// The other files' say on the same keys. Those between our two count as earlier ones. What cannot be read is for the check to tell.
    fn overlaps(
        &self,
        profile: &str,
        fragment: &str,
        sites: &str,
        site: &str,
        lang: Lang,
    ) -> Result<Result<field::Overlaps, FieldError>, u8> {
        let mut names = match std::fs::read_dir(&self.dir) {
            Ok(entries) => entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect::<Vec<_>>(),
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(refused(&self.dir, &error, lang)),
        };
        let is_read = |name: &str| Path::new(name).extension().is_some_and(|end| end == "toml") && !name.starts_with('.');
        names.retain(|name| is_read(name) && name != REGION_FILE && name != SITE_FILE);
        names.sort();
        names.truncate(MOST_OTHERS);
        let text = |path: &Path| files::read_text(path, config::LARGEST_FILE).unwrap_or_default();
        let main = (self.main.display().to_string(), text(&self.main));
        let below: Vec<(String, String)> = names.into_iter().map(|name| (format!("conf.d/{name}"), text(&self.dir.join(name)))).collect();
        let after_ours = |name: &str| name > format!("conf.d/{SITE_FILE}").as_str();
        let (later, earlier): (Vec<_>, Vec<_>) = below.into_iter().partition(|(name, _)| after_ours(name));
        let earlier: Vec<(String, String)> = std::iter::once(main).chain(earlier).collect();
        let (before, after) = (written(&earlier), written(&later));
        let ours = [Written { file: profile, text: fragment }, Written { file: sites, text: site }];
        Ok(field::overlaps(&ours, &before, &after))
    }
}

fn written(files: &[(String, String)]) -> Vec<Written<'_>> {
    files.iter().map(|(file, text)| Written { file, text }).collect()
}

/// A file that is to be there.
struct Planned {
    path: PathBuf,
    text: String,
    before: Before,
}

/// What is there now.
enum Before {
    NotRead,
    Absent,
    There(Vec<u8>),
}

impl Planned {
    fn look(self, lang: Lang) -> Result<Self, u8> {
        let before = match files::read(&self.path, config::LARGEST_FILE) {
            Ok(bytes) => Before::There(bytes),
            Err(error) if error.is_absent() => Before::Absent,
            // Not one that we wrote.
            Err(ReadError::TooLarge { .. }) => Before::There(Vec::new()),
            Err(error) => {
                let (path, line) = (clean(&self.path.display().to_string()), clean(&error.line()));
                complain(&lang.pick(format!("isonet: 读不了 {path}：{line}"), format!("isonet: cannot read {path}: {line}")));
                return Err(if matches!(&error, ReadError::Io { source, .. } if source.kind() == ErrorKind::PermissionDenied) {
                    NOT_PERMITTED
                } else {
                    IO
                });
            }
        };
        Ok(Self { before, ..self })
    }

    fn standing(&self) -> Standing {
        match &self.before {
            Before::NotRead | Before::Absent => Standing::Absent,
            Before::There(bytes) => standing(Some(bytes)),
        }
    }

    fn is_as_wanted(&self) -> bool {
        matches!(&self.before, Before::There(bytes) if bytes == self.text.as_bytes())
    }

    fn deed(&self, mode: Mode) -> Deed {
        match (mode, &self.before) {
            _ if self.is_as_wanted() => Deed::Unchanged,
            (Mode::Show, Before::There(_)) => Deed::WouldReplace,
            (Mode::Show, _) => Deed::WouldWrite,
            (Mode::Write, Before::There(_)) => Deed::Replaced,
            (Mode::Write, _) => Deed::Written,
        }
    }
}

/// From what it was made.
#[derive(Clone, Copy)]
struct Source<'a> {
    profile: &'a Path,
    sites: &'a Path,
    list: &'a List,
    chosen: &'a Chosen<'a>,
    site: &'a SiteFile,
    dir: &'a Path,
}

/// Checks the whole as it would be, and the files that it names. A problem is told where it was written: in the fragment, or in the list.
fn check(global: &Global, planned: &[Planned], source: Source<'_>, lang: Lang) -> Result<Loaded, u8> {
    let files: Vec<(PathBuf, Vec<u8>)> = planned.iter().map(|file| (file.path.clone(), file.text.clone().into_bytes())).collect();
    let loaded = load_with(global.config.as_deref(), &files).map_err(|error| {
        let error = match error {
            ConfigError::Invalid(problems) => ConfigError::Invalid(problems.into_iter().map(|one| source.trace(one)).collect()),
            other => other,
        };
        complain(&render_error(&error, lang));
        nothing_written(lang);
        error.exit_code()
    })?;
    let found = named_files::look(&loaded.files);
    if found.problems.is_empty() {
        return Ok(loaded);
    }
    for problem in found.problems {
        complain(&render_problem(&source.trace(problem), lang));
    }
    nothing_written(lang);
    Err(NOT_RIGHT)
}

fn nothing_written(lang: Lang) {
    complain(lang.pick("isonet: 什么都没有写。改正后再运行一次。", "isonet: nothing was written. Correct it and run this again."));
}

impl Source<'_> {
    /// A problem where its author finds it.
    fn trace(self, problem: Located) -> Located {
        if problem.file == self.dir.join(REGION_FILE) {
            let line = problem.line.saturating_sub(HEAD).max(1);
            return Located { file: self.profile.to_owned(), line, ..problem };
        }
        if problem.file != self.dir.join(SITE_FILE) {
            return problem;
        }
        // A header has no column of its own: the first key below it does.
        let Some(column) = (problem.line..problem.line + 3).find_map(|line| self.site.column_of(line)) else { return problem };
        let header = self.list.headers.get(column).cloned().unwrap_or_default();
        let key = if header == problem.key { header } else { format!("[{header}] {}", problem.key) };
        let line = usize::try_from(self.chosen.row.line).unwrap_or(usize::MAX);
        Located { file: self.sites.to_owned(), line, column: column + 1, key, excerpt: None, ..problem }
    }
}

/// A directory that the service can read, whatever the umask of whoever runs this; one that is there stays as it is.
fn directory(path: &Path) -> io::Result<()> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(DIRECTORY_MODE))
}

/// Writes what is not there yet. Where the second fails the first is taken back.
fn write(dir: &Path, planned: &[Planned], lang: Lang) -> Result<(), u8> {
    for place in dir.parent().into_iter().chain([dir]) {
        directory(place).map_err(|error| refused(place, &error, lang))?;
    }
    let mut done: Vec<&Planned> = Vec::new();
    for file in planned.iter().filter(|file| !file.is_as_wanted()) {
        if let Err(error) = files::replace_as(&file.path, file.text.as_bytes(), FILE_MODE) {
            for earlier in done {
                // What fails now is told by the next run, which finds a file of ours.
                let _ = match &earlier.before {
                    Before::There(bytes) => files::replace_as(&earlier.path, bytes, FILE_MODE),
                    Before::NotRead | Before::Absent => std::fs::remove_file(&earlier.path),
                };
            }
            return Err(refused(&file.path, &error, lang));
        }
        done.push(file);
    }
    Ok(())
}

fn refused(path: &Path, error: &io::Error, lang: Lang) -> u8 {
    let path = clean(&path.display().to_string());
    complain(&lang.pick(format!("isonet: 写不了 {path}：{error}"), format!("isonet: cannot write {path}: {error}")));
    if error.kind() == ErrorKind::PermissionDenied { NOT_PERMITTED } else { IO }
}
