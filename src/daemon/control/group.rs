//! The group whose members may ask everything. Read from `/etc/group` itself: terminals have local groups, and the C library's look-up could
//! wait for a directory server.

use crate::sys::files;
use std::path::Path;

/// Its name.
const NAME: &str = "isonet";
/// Larger than any list of groups on a terminal.
const LARGEST: u64 = 1 << 20;

/// Its number; `None` = there is no such group.
pub(super) fn id() -> Option<u32> {
    find(&files::read_text(Path::new("/etc/group"), LARGEST).ok()?)
}

fn find(groups: &str) -> Option<u32> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let named = fields.next() == Some(NAME);
        if named { fields.nth(1)?.parse().ok() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn the_group_is_found_by_its_whole_name() {
        assert_eq!(find("root:x:0:\nisonet-admin:x:998:\nisonet:x:997:clerk\n"), Some(997));
        assert_eq!(find("root:x:0:\nisonet2:x:5:"), None);
        assert_eq!(find("isonet:x:many:\n\n:::"), None);
    }
}
