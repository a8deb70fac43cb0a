//! The reference documents agree with the files that they are made from.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

const INTRODUCTION: &str = "<!-- Generated from config/default.toml and config/schema.json. To update it, run
     UPDATE_DOCS=1 cargo test --test it -- docs:: -->

# Configuration
";

/// `docs/configuration.md` as it should be: the comments of `default.toml` as text, each key as a heading, and a table of the
/// keys of the other kinds.
fn configuration() -> String {
    let defaults = read("config/default.toml");
    let mut page = INTRODUCTION.to_owned();
    let (mut section, mut comment) = (String::new(), Vec::new());
    for line in defaults.lines() {
        if line == "#" || line.starts_with("# ") {
            comment.push(line.trim_start_matches('#'));
            continue;
        }
        let code = line.trim_start_matches('#');
        if let Some(name) = code.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = format!("{name}.");
            page += &format!("\n## [{name}]\n\n{}", prose(&comment));
        } else if let Some((key, value)) = code.split_once(" = ") {
            let label = if line.starts_with('#') { "Not set by default. Example" } else { "Default" };
            page += &format!("\n### {section}{key}\n\n{label}: `{value}`\n\n{}", prose(&comment));
        } else if !comment.is_empty() {
            page += &format!("\n{}", prose(&comment));
        }
        comment.clear();
    }
    page + &kinds()
}

/// Comment lines as paragraphs; indented lines as a code block.
fn prose(comment: &[&str]) -> String {
    let mut text = String::new();
    let mut in_example = false;
    for line in comment {
        let is_example = line.starts_with("   ");
        if is_example != in_example && !line.is_empty() {
            text += match (is_example, line.trim_start().starts_with('[')) {
                (true, true) => "```toml\n",
                (true, false) => "```text\n",
                (false, _) => "```\n\n",
            };
            in_example = is_example;
        }
        let skipped_blank_line = line.is_empty() && in_example;
        if !skipped_blank_line {
            text += &format!("{}\n", line.strip_prefix(if is_example { "   " } else { " " }).unwrap_or(line));
        }
    }
    if in_example { text + "```\n" } else { text }
}

/// The keys of each kind of backend, from the schema.
fn kinds() -> String {
    let schema: Value = serde_json::from_str(&read("config/schema.json")).expect("the schema is JSON");
    let rules = &schema["properties"]["backends"]["additionalProperties"]["allOf"];
    let mut text =
        "\n## Keys of each kind\n\nIn addition to these, every backend has `kind`, `ceiling`, `default_sandbox`, `fallback` and `workspace`.\n"
            .to_owned();
    for rule in rules.as_array().expect("the schema has a rule for each kind") {
        let kind = rule["if"]["properties"]["kind"]["const"].as_str().expect("each rule is for one kind");
        text += &format!("\n### kind = \"{kind}\"\n\n| key | default | meaning |\n|---|---|---|\n");
        for (key, property) in rule["then"]["properties"].as_object().expect("a kind has keys") {
            if ["kind", "ceiling", "default_sandbox", "fallback", "workspace"].contains(&key.as_str()) {
                continue;
            }
            let is_required =
                rule["then"]["required"].as_array().is_some_and(|keys| keys.iter().any(|word| word == key));
            let default = property.get("default").filter(|value| !value.is_null() && *value != "");
            let default = match default {
                _ if is_required => "required".to_owned(),
                Some(value) => format!("`{value}`"),
                None => String::new(),
            };
            text += &format!("| `{key}` | {default} | {} |\n", description(property));
            if key == "json_lines" {
                text += &nested(key, &property["anyOf"][0]);
            }
        }
    }
    text
}

fn nested(table: &str, schema: &Value) -> String {
    let properties = schema["properties"].as_object().expect("the table has keys");
    let row = |(key, property): (&String, &Value)| format!("| `{table}.{key}` | | {} |\n", description(property));
    properties.iter().map(row).collect()
}

/// The description of a key, with the values that it can have.
fn description(property: &Value) -> String {
    let mut text = property["description"].as_str().unwrap_or_default().to_owned();
    for choice in property["oneOf"].as_array().into_iter().flatten() {
        let (value, meaning) = (&choice["const"], choice["description"].as_str().unwrap_or_default());
        text += &format!(" `{value}`: {meaning}");
    }
    text.replace('\n', " ").replace('|', "\\|")
}

fn read(path: &str) -> String {
    fs::read_to_string(file(path)).unwrap_or_default()
}

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn configuration_md_is_up_to_date() {
    let page = configuration();
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(file("docs/configuration.md"), &page).expect("the repository is writable");
    }
    assert!(
        read("docs/configuration.md") == page,
        "docs/configuration.md is outdated: run UPDATE_DOCS=1 cargo test --test it -- docs::"
    );
}

/// Every tool and every parameter that clients see is documented.
#[test]
fn tools_md_covers_every_tool_and_parameter() {
    let page = read("docs/tools.md");
    for golden in ["src/mcp/tools.golden.json", "src/mcp/extra/extra.golden.json"] {
        let tools: Value = serde_json::from_str(&read(golden)).expect("the golden file is JSON");
        for tool in tools.as_array().expect("the golden file lists tools") {
            let name = tool["name"].as_str().expect("a tool has a name");
            let section = page.split("\n## ").find(|section| section.starts_with(&format!("`{name}`")));
            let section = section.unwrap_or_else(|| panic!("docs/tools.md has no section on `{name}`"));
            for parameter in tool["inputSchema"]["properties"].as_object().expect("a tool has parameters").keys() {
                assert!(section.contains(&format!("| `{parameter}` |")), "docs/tools.md: `{name}` lacks `{parameter}`");
            }
        }
    }
}
