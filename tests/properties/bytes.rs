//! Files as a crash, an editor or another program might leave them: real content with a few random edits.

use proptest::{prelude::*, sample::Index};

/// Bytes to insert: delimiters, line ends, invalid UTF-8 and numbers out of range.
const WORDS: [&[u8]; 20] = [
    b"\n",
    b"\r\n",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"null",
    b"-1",
    b"1e999",
    b"99999999999999999999",
    b"`",
];

/// One change to some content.
#[derive(Debug, Clone)]
enum ByteEdit {
    /// Removes everything after this position.
    Cut(Index),
    /// Removes up to this many bytes from this position.
    Remove(Index, usize),
    /// Repeats up to this many bytes from this position.
    Repeat(Index, usize),
    /// Inserts these bytes at this position.
    Insert(Index, Vec<u8>),
}

/// One of `originals`, usually with a few edits.
pub(crate) fn damaged(originals: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let at = any::<Index>;
    let edit = prop_oneof![
        1 => at().prop_map(ByteEdit::Cut),
        3 => (at(), 1..40_usize).prop_map(|(at, length)| ByteEdit::Remove(at, length)),
        2 => (at(), 1..200_usize).prop_map(|(at, length)| ByteEdit::Repeat(at, length)),
        5 => (at(), prop::sample::select(&WORDS[..])).prop_map(|(at, word)| ByteEdit::Insert(at, word.to_vec())),
        1 => (at(), prop::collection::vec(any::<u8>(), 1..9)).prop_map(|(at, bytes)| ByteEdit::Insert(at, bytes)),
    ];
    (prop::sample::select(originals), prop::collection::vec(edit, 0..5)).prop_map(|(mut content, edits)| {
        edits.iter().for_each(|edit| change(&mut content, edit));
        content
    })
}

fn change(content: &mut Vec<u8>, edit: &ByteEdit) {
    let length = content.len();
    let position = |at: &Index| at.index(length + 1);
    let range = |at: &Index, most: usize| position(at)..(position(at) + most).min(length);
    match edit {
        ByteEdit::Cut(at) => content.truncate(position(at)),
        ByteEdit::Remove(at, most) => drop(content.drain(range(at, *most))),
        ByteEdit::Repeat(at, most) => {
            let again = content[range(at, *most)].to_vec();
            content.splice(position(at)..position(at), again);
        }
        ByteEdit::Insert(at, word) => drop(content.splice(position(at)..position(at), word.iter().copied())),
    }
}
