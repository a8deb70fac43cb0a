//! The icon that clients can show for the server and its tools.

use base64::{Engine, engine::general_purpose::STANDARD};
use rmcp::model::Icon;

const SVG: &[u8] = include_bytes!("icon.svg");

/// The icon as a base64 `data:` URI, so that clients need no file and no network.
pub(super) fn icon() -> Icon {
    Icon::new(format!("data:image/svg+xml;base64,{}", STANDARD.encode(SVG)))
        .with_mime_type("image/svg+xml")
        .with_sizes(vec!["any".to_owned()])
}
