//! What is plugged in, put together: devices, the disks at them, and where these are in use. Pure; what was read comes from
//! [`read`](super::read).
//!
//! A disk belongs to a USB device when its directory in sysfs lies below that device's: `removable` says nothing, a USB hard disk denies it.
//! What shows a disk in other clothes (a loop over it or over a file on it, LVM, encryption, RAID) is that disk. A bind mount is the same use
//! again. A file system in user space that does not name its disk is that of the disk which its program holds.

use crate::sys::disks::Disk;
use crate::sys::mounts::{Mount, Surroundings};
use crate::sys::served::Server;
use crate::sys::usb::Device;

/// Everything that was read in one look.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Raw {
    /// Devices at USB.
    pub devices: Vec<Device>,
    /// All disks.
    pub disks: Vec<Disk>,
    /// What is mounted where everybody sees it.
    pub mounts: Vec<Mount>,
    /// What other programs have mounted in surroundings of their own.
    pub elsewhere: Vec<Surroundings>,
    /// Programs that serve file systems and hold disks.
    pub servers: Vec<Server>,
}

/// A device and what is at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plugged {
    /// The device.
    pub device: Device,
    /// Its disks, with a medium or without.
    pub stores: Vec<Store>,
}

/// A disk at USB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// The disk.
    pub disk: Disk,
    /// Where it is mounted, once for each part of it.
    pub uses: Vec<Use>,
    /// What of it is mounted only where others do not see it.
    pub hidden: Vec<Hidden>,
}

/// A part of a disk in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// Where it is mounted.
    pub point: String,
    /// Kind of file system.
    pub kind: String,
    /// Whether files can be written at any of its mounts.
    pub writable: bool,
    /// By way of what, when it is not mounted itself, e.g. `dm-0`.
    pub through: Option<String>,
}

/// A part of a disk in use out of sight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hidden {
    /// How.
    pub used: Use,
    /// A process that sees it.
    pub process: u32,
    /// The name of its program.
    pub program: String,
}

/// One thing that can be mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Node {
    device: String,
    name: String,
    alias: Option<String>,
    through: Option<String>,
}

impl Node {
    fn is_mounted_by(&self, mount: &Mount) -> bool {
        // What has no device number of its own (FUSE, btrfs) says in words what it is made of.
        mount.device == self.device || mount.device.starts_with("0:") && self.is_named(&mount.source)
    }

    fn is_named(&self, file: &str) -> bool {
        let Some(name) = file.strip_prefix("/dev/") else { return false };
        name == self.name || name.strip_prefix("mapper/").is_some_and(|name| Some(name) == self.alias.as_deref())
    }
}

impl Raw {
    /// The file systems in user space, wherever mounted, that do not name a disk.
    pub fn silent(&self) -> impl Iterator<Item = &Mount> {
        let all = self.mounts.iter().chain(self.elsewhere.iter().flat_map(|by| &by.mounts));
        all.filter(|mount| is_silent(mount, &self.disks))
    }

    /// Puts it together. Hubs are left out.
    pub fn join(self) -> Vec<Plugged> {
        let Self { devices, disks, mut mounts, mut elsewhere, servers } = self;
        attribute(&mut mounts, &servers, &disks);
        for by in &mut elsewhere {
            attribute(&mut by.mounts, &servers, &disks);
        }
        let owner = |disk: &Disk| {
            let above = devices.iter().enumerate().filter(|(_, device)| disk.path.starts_with(&device.path));
            above.max_by_key(|(_, device)| device.path.as_os_str().len()).map(|(at, _)| at)
        };
        let owners: Vec<Option<usize>> = disks.iter().map(owner).collect();
        let stores = |at: usize| {
            let own = disks.iter().zip(&owners).filter(|(_, owner)| **owner == Some(at));
            own.map(|(disk, _)| store(disk, &disks, &mounts, &elsewhere)).collect()
        };
        let joined = devices.iter().enumerate().filter(|(_, device)| !device.hub);
        joined.map(|(at, device)| Plugged { device: device.clone(), stores: stores(at) }).collect()
    }
}

fn is_silent(mount: &Mount, disks: &[Disk]) -> bool {
    mount.kind.starts_with("fuse")
        && mount.device.starts_with("0:")
        && !disks.iter().flat_map(|disk| of(disk, None)).any(|node| node.is_named(&mount.source))
}

/// Gives what does not name its disk the name of the disk which its program holds.
fn attribute(mounts: &mut Vec<Mount>, servers: &[Server], disks: &[Disk]) {
    if servers.is_empty() {
        return;
    }
    let silent: Vec<Mount> = mounts.iter().filter(|mount| is_silent(mount, disks)).cloned().collect();
    let is_only_one = silent.windows(2).all(|two| two[0].device == two[1].device);
    for server in servers {
        let held: Vec<String> = server.holds.iter().filter_map(|held| name(held, disks)).collect();
        let mut own: Vec<&Mount> = silent.iter().filter(|mount| is_served(mount, server)).collect();
        // A command line says what its program likes; where there is nothing else, it is this one.
        if own.is_empty() && is_only_one && server.serves.is_empty() {
            own.extend(&silent);
        }
        let named = own.into_iter().flat_map(|mount| held.iter().map(|name| Mount { source: name.clone(), ..mount.clone() }));
        mounts.extend(named);
    }
}

fn is_served(mount: &Mount, server: &Server) -> bool {
    if !server.serves.is_empty() {
        return server.serves.iter().any(|minor| mount.device == format!("0:{minor}"));
    }
    let says = |word: &String| mount.point == *word || mount.point.strip_suffix(word).is_some_and(|before| before.ends_with('/'));
    server.words.iter().any(says)
}

/// `/dev/NAME` of what a program holds, if it is a disk.
fn name(held: &str, disks: &[Disk]) -> Option<String> {
    let nodes = disks.iter().flat_map(|disk| of(disk, None));
    nodes.into_iter().find(|node| node.device == held || node.is_named(held)).map(|node| format!("/dev/{}", node.name))
}

fn store(disk: &Disk, disks: &[Disk], mounts: &[Mount], elsewhere: &[Surroundings]) -> Store {
    let nodes = nodes(disk, disks, mounts);
    let uses = nodes.iter().filter_map(|node| used(node, mounts)).collect();
    let unseen: Vec<&Node> = nodes.iter().filter(|node| used(node, mounts).is_none()).collect();
    let out_of_sight = |node: &&Node| {
        let found = |by: &Surroundings| Some(Hidden { used: used(node, &by.mounts)?, process: by.process, program: by.program.clone() });
        elsewhere.iter().find_map(found)
    };
    Store { disk: disk.clone(), hidden: unseen.iter().filter_map(out_of_sight).collect(), uses }
}

/// The first mount of it that is left stands for all.
fn used(node: &Node, mounts: &[Mount]) -> Option<Use> {
    let mut all = mounts.iter().filter(|mount| node.is_mounted_by(mount)).peekable();
    let whole = all.clone().find(|mount| mount.root == "/");
    let first = whole.or(all.peek().copied())?;
    let writable = all.any(|mount| mount.writable);
    Some(Use { point: first.point.clone(), kind: first.kind.clone(), writable, through: node.through.clone() })
}

/// A disk, its partitions, and everything that is made of them.
fn nodes(disk: &Disk, disks: &[Disk], mounts: &[Mount]) -> Vec<Node> {
    let mut nodes = of(disk, None);
    let mut taken = vec![disk.name.as_str()];
    while let Some(upper) = disks.iter().find(|upper| !taken.contains(&upper.name.as_str()) && is_over(upper, &nodes, mounts)) {
        taken.push(&upper.name);
        nodes.extend(of(upper, Some(&upper.name)));
    }
    nodes
}

fn of(disk: &Disk, through: Option<&str>) -> Vec<Node> {
    let through = through.map(str::to_owned);
    let whole = Node { device: disk.device.clone(), name: disk.name.clone(), alias: disk.alias.clone(), through: through.clone() };
    let part =
        |(name, device): &(String, String)| Node { device: device.clone(), name: name.clone(), alias: None, through: through.clone() };
    std::iter::once(whole).chain(disk.parts.iter().map(part)).collect()
}

fn is_over(upper: &Disk, nodes: &[Node], mounts: &[Mount]) -> bool {
    let is_made_of = upper.slaves.iter().any(|slave| nodes.iter().any(|node| node.name == *slave));
    let shows = |file: &str| {
        nodes.iter().any(|node| node.is_named(file))
            || holder(file, mounts).is_some_and(|by| nodes.iter().any(|node| node.is_mounted_by(by)))
    };
    is_made_of || upper.backing.as_deref().is_some_and(shows)
}

/// The mount that a file lies in: the deepest, and of several at one place the last.
fn holder<'a>(file: &str, mounts: &'a [Mount]) -> Option<&'a Mount> {
    let is_below = |point: &str| point == "/" || file.strip_prefix(point).is_some_and(|rest| rest.starts_with('/'));
    mounts.iter().filter(|mount| is_below(&mount.point)).max_by_key(|mount| mount.point.len())
}
