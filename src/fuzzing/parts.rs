//! Inputs of several parts.

/// The line that stands between two parts, with the line ends that belong to it.
pub const SEPARATOR: &[u8] = b"\n%%\n";

/// Cuts an input into its parts. The last one has all that is left.
pub(super) fn parts<const N: usize>(input: &[u8]) -> [&[u8]; N] {
    let mut parts = [&[][..]; N];
    let mut left = input;
    for (at, part) in parts.iter_mut().enumerate() {
        let end = memchr::memmem::find(left, SEPARATOR).filter(|_| at + 1 < N);
        match end {
            Some(end) => (*part, left) = (&left[..end], &left[end + SEPARATOR.len()..]),
            None => (*part, left) = (left, &[]),
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
