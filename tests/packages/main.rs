//! The packages as one gets them: what is in them, whose it is, what they ask for, and what happens to a system that installs, upgrades,
//! removes and purges them.
//!
//! In a quick run they are made of the test's own binary, if the tools are there from an earlier `tests/run --full`; otherwise each test
//! prints `SKIPPED` and the reason. With `ISONET_PACKAGES=DIR` the packages in that directory are tested, and what is missing is made.

mod contents;
mod ground;
mod life;
mod old;
mod unit;
