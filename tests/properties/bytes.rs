//! Files as a crash, an editor or a stranger leaves them: real content with a few edits.

use proptest::{prelude::*, sample::Index};

/// What is put into content: the ends of things, and what is none of them.
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

/// One change of some content.
#[derive(Debug, Clone)]
enum ByteEdit {
    /// All after this is gone.
    Cut(Index),
    /// So many bytes from here on are gone.
    Remove(Index, usize),
    /// So many bytes from here on come twice.
    Repeat(Index, usize),
    /// This comes here.
    Insert(Index, Vec<u8>),
}

/// Some of `originals`, most of them changed in some places.
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
    let place = |at: &Index| at.index(length + 1);
    let range = |at: &Index, most: usize| place(at)..(place(at) + most).min(length);
    match edit {
        ByteEdit::Cut(at) => content.truncate(place(at)),
        ByteEdit::Remove(at, most) => drop(content.drain(range(at, *most))),
        ByteEdit::Repeat(at, most) => {
            let again = content[range(at, *most)].to_vec();
            content.splice(place(at)..place(at), again);
        }
        ByteEdit::Insert(at, word) => drop(content.splice(place(at)..place(at), word.iter().copied())),
    }
}
