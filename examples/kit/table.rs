//! Findings as tables in Markdown.

use std::collections::BTreeMap;

use codex_connector::kit::Case;
use connector_testing::kit::Finding;

/// What stands above the tables.
pub(crate) const HEAD: &str = "# What each agent does\n\n\
    Made by `cargo run --example kit -- --write docs/agents.md`: real agents and scripted models, each agent put through\n\
    `codex-connector check --deep NAME --whole`, in which every task is an ordinary one of this program. **yes**: it can, and\n\
    it was seen; **no**: it cannot, and says so; **?**: it did not come to the point; **BROKEN**: a promise was not kept. The\n\
    reasons stand below each table. After every task the machine was looked over for processes that the agent had left, and\n\
    one would be BROKEN.\n";

/// One agent.
pub(crate) struct Column {
    pub(crate) title: String,
    /// In the order of [`Case::ALL`].
    pub(crate) findings: Vec<Finding>,
}

/// Some agents beside each other.
pub(crate) struct Table {
    title: &'static str,
    about: &'static str,
    pub(crate) columns: Vec<Column>,
}

impl Table {
    pub(crate) fn new(title: &'static str, about: &'static str) -> Self {
        Self { title, about, columns: vec![] }
    }

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
        format!("\n## {}\n\n{}\n\n{}{rule}{rows}{}", self.title, self.about, row("", titles), self.reasons())
    }

    /// Why a cell is no `yes`, once for all agents that say the same.
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

fn cell(finding: &Finding) -> &'static str {
    match finding.verdict.as_str() {
        "yes" => "yes",
        "no" => "no",
        "broken" => "**BROKEN**",
        _ => "?",
    }
}

/// Where a program is installed is of no interest.
fn without_paths(words: &str) -> String {
    let short = |word: &str| match word.rsplit_once("/node_modules/.bin/") {
        Some((before, program)) => format!("{}{program}", if before.starts_with('`') { "`" } else { "" }),
        None => word.to_owned(),
    };
    words.split(' ').map(short).collect::<Vec<_>>().join(" ").replace('|', "\\|")
}
