//! The support bundle: what somebody who cannot come needs to see of this PC, in one archive, without anybody's secrets. Pure: what is to go in is
//! given, and bytes come out. `cli::support_bundle` gathers and writes.
//!
//! # What is in it
//! One directory with plain files, `README.txt` and `manifest.json` (`support-bundle/1`: each file's size and SHA-256, and what is missing and why).
//! Everything passes [`scrub`](scrub::Scrub) before it goes in: user names and passwords in addresses, queries of addresses, what stands behind a
//! word such as `password`, private keys, keys of tunnels, tokens; and whatever stands in a configuration where no such key exists.
//! Certificates, keys and files of a VPN are never opened.
//!
//! # Bounds
//! Each file is cut at its bound and says so; the whole stays below [`MOST`].

mod archive;
mod readme;
mod scrub;

pub use archive::{Bundle, Missing, tar_gz};
pub use readme::readme;
pub use scrub::Scrub;

/// Most that goes in, bytes before compression.
pub const MOST: usize = 24 << 20;
/// The format of the manifest.
pub const SCHEMA: &str = "support-bundle/1";
