//! A strict reader of HTML for tests: only our elements and attributes, well nested, and accessible.

use std::collections::BTreeSet;

use crate::present::answer_reader::is_forbidden;

/// Elements without an end tag.
const VOID: [&str; 4] = ["meta", "link", "input", "br"];

/// Every element that the pages use, with its own attributes.
const ELEMENTS: &[(&str, &[&str])] = &[
    ("html", &["lang"]),
    ("head", &[]),
    ("meta", &["charset", "name", "content"]),
    ("title", &[]),
    ("link", &["rel", "type", "href"]),
    ("script", &["defer", "src"]),
    ("body", &[]),
    ("header", &[]),
    ("footer", &[]),
    ("nav", &[]),
    ("main", &["data-live"]),
    ("section", &[]),
    ("div", &[]),
    ("p", &[]),
    ("h1", &[]),
    ("h2", &[]),
    ("h3", &[]),
    ("ul", &[]),
    ("ol", &[]),
    ("li", &[]),
    ("dl", &[]),
    ("dt", &[]),
    ("dd", &[]),
    ("a", &["href", "rel", "download"]),
    ("span", &[]),
    ("bdi", &[]),
    ("strong", &[]),
    ("code", &[]),
    ("pre", &[]),
    ("time", &["datetime"]),
    ("details", &["open"]),
    ("summary", &[]),
    ("figure", &[]),
    ("figcaption", &[]),
    ("form", &["method", "action"]),
    ("label", &["for"]),
    ("input", &["type", "name", "value", "placeholder", "size", "autocomplete", "required"]),
    ("select", &["name"]),
    ("option", &["value", "selected"]),
    ("textarea", &["name", "rows", "required"]),
    ("button", &["type"]),
    ("table", &[]),
    ("caption", &[]),
    ("thead", &[]),
    ("tbody", &[]),
    ("tfoot", &[]),
    ("tr", &[]),
    ("th", &["scope"]),
    ("td", &[]),
    ("svg", &["viewBox", "preserveAspectRatio", "focusable"]),
    ("rect", &["x", "y", "width", "height"]),
];

/// Attributes of any element. Styles and event handlers are not among them.
const GLOBAL: [&str; 13] = [
    "id",
    "class",
    "title",
    "role",
    "tabindex",
    "dir",
    "aria-label",
    "aria-labelledby",
    "aria-current",
    "aria-hidden",
    "aria-live",
    "hidden",
    "name",
];

/// An element with its attributes, and the text directly in it.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
    /// The names of the elements around it, outermost first.
    pub(super) around: Vec<String>,
    /// All text in it.
    pub(super) text: String,
}

impl Element {
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The elements of a page or a fragment. Panics if it contains anything that our templates do not write, or if it is not
/// well-formed.
pub(super) fn elements(html: &str) -> Vec<Element> {
    let mut rest = html.strip_prefix("<!DOCTYPE html>").unwrap_or(html);
    let mut found: Vec<Element> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    while !rest.is_empty() {
        let Some(after) = rest.strip_prefix('<') else {
            let end = rest.find('<').unwrap_or(rest.len());
            let text = decoded(&rest[..end]);
            let is_visible = |letter: char| matches!(letter, '\n' | '\t') || !is_forbidden(letter);
            assert!(text.chars().all(is_visible), "{text:?} has an invisible character in\n{html}");
            open.iter().for_each(|at| found[*at].text.push_str(&text));
            rest = &rest[end..];
            continue;
        };
        let end = after.find('>').unwrap_or_else(|| panic!("a tag is not closed: {after}"));
        let tag = &after[..end];
        rest = &after[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            let at = open.pop().unwrap_or_else(|| panic!("</{name}> closes nothing in\n{html}"));
            assert_eq!(found[at].name, name, "wrong end tag in\n{html}");
            continue;
        }
        let element = element(tag, open.iter().map(|at| found[*at].name.clone()).collect());
        if !VOID.contains(&element.name.as_str()) {
            open.push(found.len());
        }
        found.push(element);
    }
    assert!(
        open.is_empty(),
        "{:?} is not closed in\n{html}",
        open.iter().map(|at| &found[*at].name).collect::<Vec<_>>()
    );
    found
}

fn element(tag: &str, around: Vec<String>) -> Element {
    let (name, mut rest) = tag.split_at(tag.find(' ').unwrap_or(tag.len()));
    let (_, own) = ELEMENTS
        .iter()
        .find(|(known, _)| *known == name)
        .unwrap_or_else(|| panic!("<{tag}> is not one of our elements"));
    // The title of a rectangle is an element; an SVG needs no other.
    let mut attributes: Vec<(String, String)> = Vec::new();
    while let Some(text) = rest.strip_prefix(' ') {
        let end = text.find(['=', ' ']).unwrap_or(text.len());
        let (attribute, after) = text.split_at(end);
        let value = match after.strip_prefix("=\"") {
            Some(value) => {
                let end = value.find('"').unwrap_or_else(|| panic!("a value is not closed: <{tag}>"));
                rest = &value[end + 1..];
                decoded(&value[..end])
            }
            None => {
                rest = after;
                String::new()
            }
        };
        assert!(own.contains(&attribute) || GLOBAL.contains(&attribute), "<{tag}> has the attribute {attribute}");
        assert!(attributes.iter().all(|(known, _)| known != attribute), "<{tag}> has {attribute} twice");
        if matches!(attribute, "href" | "src" | "action" | "data-live") {
            let is_ours = (value.starts_with('/') && !value.starts_with("//")) || value.starts_with('#');
            assert!(is_ours && value.is_ascii() && !value.contains(['\\', ' ']), "<{tag}> leads elsewhere");
        }
        attributes.push((attribute.to_owned(), value));
    }
    assert!(rest.is_empty(), "<{tag}>: {rest}");
    Element { name: name.to_owned(), attributes, around, text: String::new() }
}

fn decoded(text: &str) -> String {
    let plain = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    assert!(
        !text.replace("&lt;", "").replace("&gt;", "").replace("&quot;", "").replace("&amp;", "").contains('&'),
        "{text}"
    );
    plain.replace("&amp;", "&")
}

/// Asserts that a whole page is ours and accessible. Returns its elements.
pub(super) fn assert_page(html: &str) -> Vec<Element> {
    assert!(html.starts_with("<!DOCTYPE html><html lang=\"en\">"), "{html}");
    let elements = assert_fragment(html);
    let count = |name: &str| elements.iter().filter(|element| element.name == name).count();
    for name in ["html", "head", "body", "main", "h1", "script"] {
        assert_eq!(count(name), 1, "<{name}> in\n{html}");
    }
    let first = elements.iter().find(|element| element.name == "a").expect("a page has links");
    assert_eq!(first.attribute("href"), Some("#main"), "the first link skips the navigation");
    let mut level = 0;
    for element in &elements {
        if let Some(deeper) = element.name.strip_prefix('h').and_then(|level| level.parse::<u32>().ok()) {
            assert!(deeper <= level + 1, "a heading of level {deeper} follows one of level {level} in\n{html}");
            assert!(!element.text.trim().is_empty(), "an empty heading in\n{html}");
            level = deeper;
        }
    }
    elements
}

/// Asserts that a part of a page is ours and accessible. Returns its elements.
pub(super) fn assert_fragment(html: &str) -> Vec<Element> {
    let elements = elements(html);
    let ids: Vec<_> = elements.iter().filter_map(|element| element.attribute("id")).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "an ID is used twice: {ids:?}");
    for element in &elements {
        let is_labelled = || {
            let own = element.attribute("id");
            let by_id =
                elements.iter().any(|label| label.name == "label" && own.is_some() && label.attribute("for") == own);
            by_id || element.around.iter().any(|name| name == "label")
        };
        match element.name.as_str() {
            "input" if element.attribute("type") == Some("hidden") => {}
            "input" | "select" | "textarea" => assert!(is_labelled(), "{element:?} has no label"),
            "th" => assert!(element.attribute("scope").is_some(), "{element:?} has no scope"),
            "a" | "button" | "summary" => {
                assert!(!element.text.trim().is_empty(), "{element:?} has no text in\n{html}");
            }
            "svg" => {
                let is_hidden = element.attribute("aria-hidden") == Some("true");
                assert!(is_hidden || element.attribute("aria-label").is_some(), "{element:?} has no alternative");
            }
            "form" => assert!(
                element.attribute("method") == Some("get")
                    || element.text.is_empty()
                    || html.contains("name=\"csrf\"")
                    || html.contains("name=\"token\""),
                "{element:?} has no token"
            ),
            "script" => assert!(element.text.is_empty(), "{element:?} has content"),
            _ => {}
        }
    }
    let tables = elements.iter().filter(|element| element.name == "table").count();
    let captions =
        elements.iter().filter(|element| element.name == "caption" && !element.text.trim().is_empty()).count();
    assert_eq!(tables, captions, "a table has no caption in\n{html}");
    elements
}

#[test]
fn the_checker_accepts_our_html_and_nothing_else() {
    let good = "<p class=\"a\">x &lt;b&gt; &amp; <a href=\"/tasks?x=1\">y</a></p>";
    assert_eq!(assert_fragment(good).len(), 2);
    for bad in [
        "<b>x</b>",
        "<p>x",
        "<p>x</div>",
        "</p>",
        "<p onclick=\"x\">y</p>",
        "<p style=\"x\">y</p>",
        "<a href=\"https://example.com\">x</a>",
        "<a href=\"//example.com\">x</a>",
        "<a href=\"javascript:x\">x</a>",
        "<a href=\"/x\"></a>",
        "<p>\u{202e}</p>",
        "<p>\u{1b}</p>",
        "<p>&copy;</p>",
        "<p id=\"a\">x</p><p id=\"a\">y</p>",
        "<script>x</script>",
        "<input type=\"text\" name=\"x\">",
        "<table><tr><td>x</td></tr></table>",
        "<svg viewBox=\"0 0 1 1\"></svg>",
        "<!-- x -->",
    ] {
        let result = std::panic::catch_unwind(|| assert_fragment(bad));
        assert!(result.is_err(), "{bad}");
    }
}
