//! Field installation: what a region has in common (a fragment of configuration) and a list with one row for each terminal become the
//! configuration of this PC. Everything in here is pure: bytes and facts in, files and reasons out. `cli::enroll` reads, writes and enrols.
//!
//! # What is written
//! `conf.d/10-region.toml` is the fragment as it is; `conf.d/20-site.toml` is made from the row. Both begin with a line that holds a digest of
//! the rest: a file whose digest fits is ours and may be replaced, any other is a person's and is never touched. What a person wants
//! otherwise on one PC goes to `conf.d/90-local.toml`, which is merged later and wins. What stands in a file that is merged *earlier* and would be
//! overruled in silence is a conflict, and then nothing is written at all.
//!
//! # The list
//! The first line names the columns: a short word, its Chinese name, or any key of the configuration as `check-config` writes it
//! (`vpn[centre].interface`). Which row is this PC's is said by `--site` or told by what the row says of the PC itself.

mod choose;
mod columns;
mod error;
mod list;
mod overlap;
mod propose;
mod render;

pub use choose::{By, Chosen, Pc, Wanted, choose, expectations};
pub use columns::{Column, Mark};
pub use error::FieldError;
pub use list::{LARGEST, List, Row, decode};
pub use overlap::{Overlap, Overlaps, Written, overlaps};
pub use propose::{Live, Peer, Proposal, Tunnel, proposals};
pub use render::{HEAD, REGION_FILE, SITE_FILE, SiteFile, Standing, region_file, site_file, standing};
