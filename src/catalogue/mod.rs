//! Words: everything a person reads, in Chinese and in English.

mod lang;

pub use lang::Lang;
