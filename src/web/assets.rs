//! The files that pages refer to. They are part of the program.

use std::sync::LazyLock;

use bytes::Bytes;

/// A file that pages refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asset {
    /// The style sheet.
    Style,
    /// The script.
    Script,
    /// The icon.
    Icon,
}

impl Asset {
    /// Every file.
    pub(super) const ALL: [Self; 3] = [Self::Style, Self::Script, Self::Icon];

    /// The file with this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|asset| asset.name() == name)
    }

    /// Its name, the last part of its address.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Style => "style.css",
            Self::Script => "app.js",
            Self::Icon => "icon.svg",
        }
    }

    /// Its media type.
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Style => "text/css; charset=utf-8",
            Self::Script => "text/javascript; charset=utf-8",
            Self::Icon => "image/svg+xml",
        }
    }

    /// Its content.
    pub(super) fn content(self) -> Bytes {
        Bytes::from_static(self.text().as_bytes())
    }

    fn text(self) -> &'static str {
        match self {
            Self::Style => include_str!("assets/style.css"),
            Self::Script => include_str!("assets/app.js"),
            Self::Icon => include_str!("assets/icon.svg"),
        }
    }
}
