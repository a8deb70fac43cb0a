//! Streams with lines about as long as the reader's limits.

use codex_connector::fuzzing::line_reader;
use proptest::prelude::*;

use crate::{PropertyInput, cases};

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let ends = [&b"\n"[..], b"\r\n", b"\n\n", b"\r", b""];
    let line = (0..60_usize, any::<u8>(), prop::sample::select(ends.to_vec()));
    prop::collection::vec(line, 0..12).prop_map(|lines| {
        let line = |(length, byte, end): &(usize, u8, &[u8])| [&vec![*byte; *length], *end].concat();
        lines.iter().flat_map(line).collect()
    })
}

fn input() -> impl Strategy<Value = PropertyInput> {
    let all = 255_u8;
    let most = prop_oneof![3 => Just(all), 1 => 0..20_u8];
    let sizes = prop::collection::vec(prop_oneof![Just(0), 0..40_u8, Just(all)], 0..6);
    (stream(), 0..40_u8, 0..40_u8, 0..40_u8, most, sizes).prop_map(|(stream, held, head, read, most, sizes)| {
        PropertyInput::of(&[&stream, &[&[held, head, read, most][..], &sizes].concat()])
    })
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn lines_do_not_depend_on_how_bytes_arrive(input in input()) {
        line_reader(&input.0);
    }
}
