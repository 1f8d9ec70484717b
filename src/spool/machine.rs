//! Whether a log is on the machine that wrote it. Pure.
//!
//! A fingerprint is a line of digests, one for each part that has a number of its own (cards, disks, board). Parts are exchanged one at a
//! time; a copied disk finds itself among parts of which it knows none.

/// Two fingerprints of one machine: they share a part, or one of them has none to compare.
pub fn is_same(one: &str, other: &str) -> bool {
    one.split_whitespace().next().is_none()
        || other.split_whitespace().next().is_none()
        || one.split_whitespace().any(|part| other.split_whitespace().any(|known| known == part))
}

#[cfg(test)]
mod tests {
    use super::is_same;

    #[test]
    fn a_machine_stays_itself_while_one_part_stays() {
        assert!(is_same("card disk board", "card disk board"));
        assert!(is_same("card disk board", "new-card disk"));
        assert!(!is_same("card disk board", "card2 disk2 board2"));
        assert!(!is_same("card", "car d"));
    }

    #[test]
    fn a_machine_without_numbered_parts_is_no_clone() {
        assert!(is_same("", "card") && is_same("card", " ") && is_same("", ""));
    }
}
