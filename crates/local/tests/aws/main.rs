//! The AWS endpoint as the real SDK meets it.

mod chime;
mod data;
mod faults;
mod signature;
mod world;
