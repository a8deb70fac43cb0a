//! Setting an unusable catalog aside.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{
    error::CatalogError,
    open::{COMPANION_SUFFIXES, companion},
};
use crate::store::{aside, fault};

/// Renames the database and SQLite's companion files, and returns the new path of the database; `None` if there is no
/// database. Nothing is deleted. A crash between the renames leaves a log without its database, which a
/// [rebuild](super::rebuild::rebuild) sets aside too.
pub(in crate::store) fn set_aside(path: &Path) -> Result<Option<PathBuf>, CatalogError> {
    let aside = renamed(path)?;
    for ending in COMPANION_SUFFIXES {
        let file = companion(path, ending);
        if file.symlink_metadata().is_err() {
            continue;
        }
        match &aside {
            Some(aside) => {
                fault::point("set aside")?;
                ignore_missing(std::fs::rename(&file, companion(aside, ending)))?;
            }
            None => drop(renamed(&file)?),
        }
    }
    Ok(aside)
}

fn renamed(path: &Path) -> Result<Option<PathBuf>, CatalogError> {
    if path.symlink_metadata().is_err() {
        return Ok(None);
    }
    match aside::set_aside(path) {
        Ok(aside) => Ok(Some(aside)),
        Err(error) if error.source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.source.into()),
    }
}

/// Another process may have renamed or removed the file.
fn ignore_missing(renamed: io::Result<()>) -> Result<(), CatalogError> {
    match renamed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}
