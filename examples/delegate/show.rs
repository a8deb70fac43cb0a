//! Prints to stdout, and ignores errors if no one reads it.

use std::{
    fmt::Display,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Prints a line.
pub(crate) fn say(line: impl Display) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

/// Prints the lines that belong to a step.
pub(crate) fn show(text: impl Display) {
    text.to_string().trim_end().lines().for_each(|line| say(format_args!("   {line}")));
}

/// The files below `directory` with their sizes, one per line.
pub(crate) fn files_below(directory: &Path) -> String {
    let mut files: Vec<(PathBuf, u64)> = vec![];
    let mut directories = vec![directory.to_owned()];
    while let Some(next) = directories.pop() {
        for entry in fs::read_dir(next).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => directories.push(entry.path()),
                Ok(metadata) => files.push((entry.path(), metadata.len())),
                // The file existed only for a moment.
                Err(_) => {}
            }
        }
    }
    files.sort();
    let line = |(path, bytes): &(PathBuf, u64)| {
        format!("{bytes:>6} bytes  {}", path.strip_prefix(directory).unwrap_or(path).display())
    };
    files.iter().map(line).collect::<Vec<_>>().join("\n")
}
