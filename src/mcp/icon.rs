//! The picture that clients may show beside the server and its tools.

use base64::{Engine, engine::general_purpose::STANDARD};
use rmcp::model::Icon;

const SVG: &[u8] = include_bytes!("icon.svg");

/// One that needs no file and no network: clients take pictures from a `data:` URI in base64.
pub(super) fn icon() -> Icon {
    Icon::new(format!("data:image/svg+xml;base64,{}", STANDARD.encode(SVG)))
        .with_mime_type("image/svg+xml")
        .with_sizes(vec!["any".to_owned()])
}
