//! The files that every page refers to. They are part of the program.

/// A file that pages refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asset {
    /// Its name in an address.
    pub(crate) name: &'static str,
    /// Its media type.
    pub(crate) media_type: &'static str,
    /// Its content.
    pub(crate) content: &'static [u8],
    /// Changes with the content.
    pub(crate) version: u64,
}

/// The style sheet.
pub(crate) static STYLE: Asset =
    Asset::new("style.css", "text/css; charset=utf-8", include_bytes!("../../web/assets/style.css"));

/// The script, without which every page works too.
pub(crate) static SCRIPT: Asset =
    Asset::new("app.js", "text/javascript; charset=utf-8", include_bytes!("../../web/assets/app.js"));

/// The icon.
pub(crate) static ICON: Asset = Asset::new("icon.svg", "image/svg+xml", include_bytes!("../../web/assets/icon.svg"));

impl Asset {
    const fn new(name: &'static str, media_type: &'static str, content: &'static [u8]) -> Self {
        Self { name, media_type, content, version: hash(content) }
    }

    /// The asset with this name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        [&STYLE, &SCRIPT, &ICON].into_iter().find(|asset| asset.name == name)
    }

    /// Its address.
    pub(crate) fn link(&self) -> String {
        super::links::asset(self.name, self.version)
    }
}

/// The 64-bit FNV-1a hash, which is simple enough to be computed by the compiler.
const fn hash(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        at += 1;
    }
    hash
}
