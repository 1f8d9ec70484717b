//! The groups: whose members may ask everything, and whose may order. Read from `/etc/group` itself: terminals have local groups, and the C library's look-up could
//! wait for a directory server.

use crate::sys::files;
use std::path::Path;

/// Those who may ask.
const NAME: &str = "isonet";
/// Those who may give and revoke grants.
const ADMIN: &str = "isonet-admin";
/// Larger than any list of groups on a terminal.
const LARGEST: u64 = 1 << 20;

/// The number of the group that may ask; `None` = there is no such group.
pub(super) fn id() -> Option<u32> {
    find(&files::read_text(Path::new("/etc/group"), LARGEST).ok()?, NAME)
}

/// The number of the group that may order; `None` = there is no such group.
pub(super) fn admin_id() -> Option<u32> {
    find(&files::read_text(Path::new("/etc/group"), LARGEST).ok()?, ADMIN)
}

fn find(groups: &str, name: &str) -> Option<u32> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let named = fields.next() == Some(name);
        if named { fields.nth(1)?.parse().ok() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::{ADMIN, NAME, find};

    #[test]
    fn the_group_is_found_by_its_whole_name() {
        let groups = "root:x:0:\nisonet-admin:x:998:\nisonet:x:997:clerk\n";
        assert_eq!((find(groups, NAME), find(groups, ADMIN)), (Some(997), Some(998)));
        assert_eq!(find("root:x:0:\nisonet2:x:5:", NAME), None);
        assert_eq!(find("isonet:x:many:\n\n:::", NAME), None);
    }
}
