//! isonet
