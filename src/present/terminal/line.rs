//! A line of output: pieces of safe text, each with a tone.

use anstyle::{AnsiColor, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::{Screen, Symbols};
use crate::{
    present::text::{OutsideText, one_line},
    visible::fully_visible,
};

/// Longest untrusted text on a line, in characters.
const MAX_CHARACTERS: usize = 16_000;

/// The meaning of a piece of text, which determines its color.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Ordinary text.
    Plain,
    /// A heading or an ID.
    Strong,
    /// Less important text.
    Faint,
    /// Something succeeded.
    Good,
    /// Something failed.
    Bad,
    /// Something is in progress.
    Active,
    /// Something needs attention.
    Attention,
}

impl Tone {
    fn style(self) -> Style {
        let color = |color: AnsiColor| Style::new().fg_color(Some(color.into()));
        match self {
            Self::Plain => Style::new(),
            Self::Strong => Style::new().bold(),
            Self::Faint => Style::new().dimmed(),
            Self::Good => color(AnsiColor::Green),
            Self::Bad => color(AnsiColor::Red),
            Self::Active => color(AnsiColor::Cyan),
            Self::Attention => color(AnsiColor::Yellow),
        }
    }
}

/// A line that is not rendered yet. It contains no control characters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Line(Vec<(Tone, String)>);

impl Line {
    /// A line with this text.
    pub(crate) fn of(tone: Tone, text: &(impl OutsideText + ?Sized)) -> Self {
        Self::default().with(tone, text)
    }

    /// Appends text, which may come from outside.
    #[must_use]
    pub(crate) fn with(mut self, tone: Tone, text: &(impl OutsideText + ?Sized)) -> Self {
        // Keep the spaces at both ends, with which our own texts are joined.
        let raw = text.text();
        let space = |is_space: bool| if is_space { " " } else { "" };
        let (before, after) = (raw.starts_with(' '), raw.len() > 1 && raw.ends_with(' '));
        let shown = one_line(raw, MAX_CHARACTERS);
        self.0.push((tone, format!("{}{shown}{}", space(before), space(after))));
        self
    }

    /// Appends a line of text from outside without collapsing its spaces. Line breaks and tabs become spaces.
    #[must_use]
    pub(crate) fn with_exact(mut self, tone: Tone, text: &(impl OutsideText + ?Sized)) -> Self {
        let shown = fully_visible(text.text()).replace('\t', "    ").replace(['\r', '\n'], " ");
        self.0.push((tone, shown));
        self
    }

    /// Appends another line.
    #[must_use]
    pub(crate) fn then(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Appends spaces up to this width, in columns.
    #[must_use]
    pub(crate) fn padded(mut self, width: usize) -> Self {
        let missing = width.saturating_sub(self.width());
        self.0.push((Tone::Plain, " ".repeat(missing)));
        self
    }

    /// Its pieces of safe text, each with its tone.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = (Tone, &str)> {
        self.0.iter().map(|(tone, text)| (*tone, text.as_str()))
    }

    /// The text alone.
    pub(crate) fn text(self) -> String {
        self.0.into_iter().map(|(_, text)| text).collect()
    }

    /// The width in columns of a terminal.
    pub(crate) fn width(&self) -> usize {
        self.0.iter().map(|(_, text)| text.width()).sum()
    }

    /// The line cut to `width` columns. A cut line ends with an ellipsis.
    #[must_use]
    pub(crate) fn cut(self, width: usize, symbols: Symbols) -> Self {
        if self.width() <= width {
            return self;
        }
        let mark = symbols.choose("…", "~");
        let mut room = width.saturating_sub(mark.width());
        let mut pieces = Vec::new();
        'pieces: for (tone, text) in self.0 {
            let mut kept = String::new();
            for letter in text.chars() {
                let columns = letter.width().unwrap_or(0);
                if columns > room {
                    pieces.push((tone, kept + if width == 0 { "" } else { mark }));
                    break 'pieces;
                }
                room -= columns;
                kept.push(letter);
            }
            pieces.push((tone, kept));
        }
        Self(pieces)
    }

    /// The line as several of at most `width` columns, broken at spaces where possible.
    pub(crate) fn wrapped(self, width: usize) -> Vec<Self> {
        let letters: Vec<(Tone, char)> = self
            .0
            .into_iter()
            .flat_map(|(tone, text)| text.chars().map(move |letter| (tone, letter)).collect::<Vec<_>>())
            .collect();
        let (mut lines, mut start) = (Vec::new(), 0);
        while start < letters.len() {
            let (mut columns, mut end) = (0, start);
            while let Some((_, letter)) = letters.get(end) {
                columns += letter.width().unwrap_or(0);
                if columns > width && end > start {
                    break;
                }
                end += 1;
            }
            if end < letters.len()
                && let Some(space) = letters[start..=end].iter().rposition(|(_, letter)| *letter == ' ')
                && space > 0
            {
                end = start + space;
            }
            lines.push(Self(pieces(&letters[start..end])));
            start = end + usize::from(letters.get(end).is_some_and(|(_, letter)| *letter == ' '));
        }
        if lines.is_empty() { vec![Self::default()] } else { lines }
    }

    /// The text, without a newline. On a terminal, it is cut to the width, and colored if the terminal allows it.
    pub(crate) fn render(self, screen: Screen) -> String {
        let line = match screen.width {
            Some(width) => self.cut(width, screen.symbols),
            None => self,
        };
        let mut rendered = String::new();
        for (tone, text) in line.0 {
            let style = if screen.has_color && !text.trim().is_empty() { tone.style() } else { Style::new() };
            rendered.push_str(&format!("{style}{text}{style:#}"));
        }
        rendered.trim_end_matches(' ').to_owned()
    }
}

/// Letters with their tones as pieces.
fn pieces(letters: &[(Tone, char)]) -> Vec<(Tone, String)> {
    let same = letters.chunk_by(|(one, _), (other, _)| one == other);
    same.map(|letters| (letters[0].0, letters.iter().map(|(_, letter)| letter).collect())).collect()
}

/// The columns of a rendered line.
pub(crate) fn rendered_width(text: &str) -> usize {
    let mut columns = 0;
    let mut rest = text;
    while let Some((before, style)) = rest.split_once('\u{1b}') {
        columns += before.width();
        // Our own styles are the only escape sequences, and each ends with an `m`.
        rest = style.split_once('m').map_or("", |(_, after)| after);
    }
    columns + rest.width()
}
