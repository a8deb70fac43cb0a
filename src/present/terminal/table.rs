//! A table whose columns are aligned on a terminal and separated by tabs in a pipe.

use super::{Line, Screen, Tone};

/// Space between two columns.
const GAP: usize = 2;

/// Minimum width of the flexible column. On a narrower terminal, columns at the end of a row are cut.
const MIN_FLEXIBLE: usize = 10;

/// A column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Column {
    /// The heading, shown on a terminal only.
    pub(super) title: &'static str,
    /// Whether the column gets the space that the others leave. Its cells are cut.
    pub(super) is_flexible: bool,
    /// Whether its cells are aligned to the right.
    pub(super) is_number: bool,
    /// Columns with a higher rank are left out first when the terminal is too narrow; those with rank 0 never are.
    pub(super) rank: u8,
}

/// The table as lines, ending with newlines. All rows have one cell per column.
pub(super) fn table(columns: &[Column], rows: Vec<Vec<Line>>, screen: Screen) -> String {
    let Some(width) = screen.width else {
        let mut text = String::new();
        for row in rows {
            let cells: Vec<_> = row.into_iter().map(|cell| cell.render(screen)).collect();
            text.push_str(&cells.join("\t"));
            text.push('\n');
        }
        return text;
    };
    let natural: Vec<usize> = (0..columns.len())
        .map(|at| rows.iter().map(|row| row[at].width()).chain([columns[at].title.len()]).max().unwrap_or(0))
        .collect();
    let shown = fitting(columns, &natural, width);
    let fixed: usize = shown.iter().filter(|at| !columns[**at].is_flexible).map(|at| natural[*at] + GAP).sum();
    let room = width.saturating_sub(fixed).max(MIN_FLEXIBLE);
    let column_width = |at: usize| if columns[at].is_flexible { natural[at].min(room) } else { natural[at] };
    let headings = columns.iter().map(|column| Line::of(Tone::Faint, column.title)).collect();
    let mut text = String::new();
    for row in std::iter::once(headings).chain(rows) {
        let mut line = Line::default();
        for (position, at) in shown.iter().enumerate() {
            let cell = row[*at].clone().cut(column_width(*at), screen.symbols);
            let missing = column_width(*at).saturating_sub(cell.width());
            let is_last = position + 1 == shown.len();
            line = match columns[*at].is_number {
                true => line.then(Line::default().padded(missing)).then(cell),
                false => line.then(cell).then(Line::default().padded(missing)),
            };
            line = if is_last { line } else { line.then(Line::default().padded(GAP)) };
        }
        text.push_str(&line.render(screen));
        text.push('\n');
    }
    text
}

/// The columns that fit into this width: columns are left out by rank until the rest fits.
fn fitting(columns: &[Column], natural: &[usize], width: usize) -> Vec<usize> {
    let mut shown: Vec<usize> = (0..columns.len()).collect();
    let needed = |shown: &[usize]| -> usize {
        let least = |at: &usize| if columns[*at].is_flexible { natural[*at].min(MIN_FLEXIBLE) } else { natural[*at] };
        shown.iter().map(|at| least(at) + GAP).sum::<usize>().saturating_sub(GAP)
    };
    while needed(&shown) > width {
        let Some(least) = shown.iter().copied().filter(|at| columns[*at].rank > 0).max_by_key(|at| columns[*at].rank)
        else {
            break;
        };
        shown.retain(|at| *at != least);
    }
    shown
}
