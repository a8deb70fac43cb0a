//! Formats findings as Markdown tables.

use std::{collections::BTreeMap, fs, path::Path};

use codex_connector::kit::Case;
use connector_testing::kit::KitFinding;

/// The generated table in a document is between these lines.
const BEGIN: &str = "<!-- made by `cargo run --example kit -- --write` -->\n";
const END: &str = "<!-- end -->\n";

/// The findings of one agent.
pub(crate) struct Column {
    pub(crate) title: String,
    /// In the order of [`Case::ALL`].
    pub(crate) findings: Vec<KitFinding>,
}

/// The findings of several agents, one column each.
pub(crate) struct Table {
    pub(crate) columns: Vec<Column>,
}

impl Table {
    pub(crate) fn has_broken(&self) -> bool {
        self.columns.iter().flat_map(|column| &column.findings).any(|finding| finding.verdict == "broken")
    }

    pub(crate) fn markdown(&self) -> String {
        let titles = self.columns.iter().map(|column| column.title.as_str());
        let rows = Case::ALL.iter().enumerate().map(|(at, case)| {
            let cells = self.columns.iter().map(|column| column.findings.get(at).map_or("", cell));
            row(case.title(), cells)
        });
        let rule = row("---", self.columns.iter().map(|_| "---"));
        let rows: String = rows.collect();
        format!("{}{rule}{rows}{}", row("", titles), self.reasons())
    }

    /// Replaces the table in a file. Fails if there is no such file, or if it has no place for the table.
    pub(crate) fn write_into(&self, file: &Path) -> Result<(), String> {
        let cannot = |problem: String| format!("cannot write the table into {}: {problem}", file.display());
        let text = fs::read_to_string(file).map_err(|problem| cannot(problem.to_string()))?;
        let parts = text.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
        let (before, after) = parts.ok_or_else(|| cannot(format!("it does not contain the lines {BEGIN}and {END}")))?;
        let text = format!("{before}{BEGIN}\n{}\n{END}{after}", self.markdown());
        fs::write(file, text).map_err(|problem| cannot(problem.to_string()))
    }

    /// The reasons for every cell that is not `yes`, once for all agents with the same reason.
    fn reasons(&self) -> String {
        let mut reasons: BTreeMap<(usize, String), Vec<&str>> = BTreeMap::new();
        for column in &self.columns {
            for (at, finding) in column.findings.iter().enumerate().filter(|(_, finding)| finding.verdict != "yes") {
                reasons.entry((at, without_paths(&finding.words))).or_default().push(&column.title);
            }
        }
        let line = |((at, words), titles): (&(usize, String), &Vec<&str>)| {
            format!("- *{}*, {}: {words}\n", Case::ALL[*at].title(), titles.join(", "))
        };
        let lines: String = reasons.iter().map(line).collect();
        if lines.is_empty() { lines } else { format!("\n{lines}") }
    }
}

fn row<'a>(head: &'a str, cells: impl Iterator<Item = &'a str>) -> String {
    let cells: Vec<_> = std::iter::once(head).chain(cells).collect();
    format!("| {} |\n", cells.join(" | "))
}

fn cell(finding: &KitFinding) -> &'static str {
    match finding.verdict.as_str() {
        "yes" => "yes",
        "no" => "no",
        "broken" => "**BROKEN**",
        _ => "?",
    }
}

/// Shortens the paths of programs, because it is irrelevant where they are installed.
fn without_paths(words: &str) -> String {
    let short = |word: &str| match word.rsplit_once("/node_modules/.bin/") {
        Some((before, program)) => format!("{}{program}", if before.starts_with('`') { "`" } else { "" }),
        None => word.to_owned(),
    };
    words.split(' ').map(short).collect::<Vec<_>>().join(" ").replace('|', "\\|")
}
