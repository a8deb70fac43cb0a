//! Surrogate pairs that were split between two strings.

/// Halves of surrogate pairs at the ends of a string, left by an agent that cut a text into chunks. See
/// [`Chunks`](crate::Chunks).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SplitSurrogates {
    /// The second half of a pair, at the beginning of a string.
    pub low: Option<u16>,
    /// The first half of a pair, at the end of a string.
    pub high: Option<u16>,
}
