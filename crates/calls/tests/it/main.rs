//! The life of a call, over HTTP, through the real binaries.

mod guide;
