//! Splits inputs into parts.

/// The line between two parts, including its newlines.
pub const SEPARATOR: &[u8] = b"\n%%\n";

/// Splits an input into its parts. The last part contains the rest of the input.
pub(super) fn parts<const N: usize>(input: &[u8]) -> [&[u8]; N] {
    let mut parts = [&[][..]; N];
    let mut rest = input;
    for (at, part) in parts.iter_mut().enumerate() {
        let end = memchr::memmem::find(rest, SEPARATOR).filter(|_| at + 1 < N);
        match end {
            Some(end) => (*part, rest) = (&rest[..end], &rest[end + SEPARATOR.len()..]),
            None => (*part, rest) = (rest, &[]),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_parts_are_empty_and_the_last_part_has_the_rest() {
        assert_eq!(parts(b"a\n%%\nb"), [&b"a"[..], b"b", b""]);
        assert_eq!(parts(b"\n%%\nb\n%%\nc"), [&b""[..], b"b\n%%\nc"]);
        assert_eq!(parts(b""), [&b""[..], b""]);
    }
}
