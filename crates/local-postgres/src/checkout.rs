//! The checkout that a program runs in.

use std::io;
use std::path::{Path, PathBuf};

/// The file by which the root is known.
const MARK: &str = "infra/params/local.json";

/// The root of the checkout around the current directory. It is looked for when the program runs and not when it is compiled,
/// so that a program that was copied or moved serves the checkout it is called in.
///
/// # Errors
/// When the current directory is in no checkout.
pub fn root() -> io::Result<PathBuf> {
    let current = std::env::current_dir()?;
    let root = current.ancestors().find(|directory| directory.join(MARK).is_file());
    root.map(Path::to_owned).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::NotFound,
            format!("no directory from {} upward has {MARK}", current.display()),
        )
    })
}
