use super::*;

fn redactor(variables: &[(&str, &str)]) -> Redactor {
    Redactor::of(variables.iter().map(|(name, value)| (name.into(), value.into())))
}

/// Numbers that look random, and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits fit") % most
    }
}

#[test]
fn a_secret_is_replaced_by_the_name_of_its_variable() {
    let redactor =
        redactor(&[("MY_TOKEN", "hunter2-hunter2"), ("PATH", "/usr/bin:/bin"), ("B\n|`_KEY", "other-secret")]);
    assert_eq!(redactor.text("a hunter2-hunter2, other-secret b"), "a [redacted:MY_TOKEN], [redacted:B???_KEY] b");
    assert_eq!(redactor.text("hunter2-hunter /usr/bin:/bin"), "hunter2-hunter /usr/bin:/bin");
    assert_eq!(format!("{redactor:?}"), "Redactor { needles: 2 }");
}

#[test]
fn the_longest_of_several_secrets_is_replaced() {
    let redactor = redactor(&[("A_KEY", "12345678"), ("B_KEY", "12345678-abcdefgh")]);
    assert_eq!(redactor.text("x12345678-abcdefghx12345678-abcdefg"), "x[redacted:B_KEY]x[redacted:A_KEY]-abcdefg");
}

#[test]
fn without_secrets_nothing_is_touched() {
    let redactor = redactor(&[("PATH", "/usr/bin")]);
    assert!(redactor.is_idle() && matches!(redactor.text("x"), Cow::Borrowed("x")));
    let mut stream = Stream::new(redactor);
    assert!(matches!(stream.part(b"x"), Cow::Borrowed(b"x")) && stream.end().is_empty());
}

#[test]
fn the_beginning_of_a_line_keeps_no_beginning_of_a_secret() {
    let redactor = redactor(&[("A_KEY", "12345678")]);
    assert_eq!(&*redactor.beginning(b"some text 1234567"), b"some text ");
    assert_eq!(&*redactor.beginning(b"some text 12345678"), b"some text [redacted:A_KEY]");
    assert_eq!(&*redactor.beginning(b"12"), b"");
}

#[test]
fn no_secret_passes_wherever_it_stands_and_wherever_it_is_cut() {
    let secrets = ["aaaaaaaa", "abababababab", "aaaaaaaabbbbbbbb", "ä\"ö\\ü-äöü"];
    let variables: Vec<_> = secrets.iter().enumerate().map(|(at, value)| (format!("S{at}_KEY"), *value)).collect();
    let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let redactor = redactor(&variables);
    let mut dice = Dice(7);
    for _ in 0..3_000 {
        let mut text = String::new();
        for _ in 0..dice.below(12) {
            match dice.below(3) {
                0 => text.push_str(secrets[dice.below(secrets.len())]),
                1 => text.push_str(&"ab"[..dice.below(3)]),
                _ => text.push_str(["ä", "\"", "aaa", "baba", "xyz "][dice.below(5)]),
            }
        }
        let whole = redactor.text(&text).into_owned();
        let mut stream = Stream::new(redactor.clone());
        let (mut streamed, mut rest) = (Vec::new(), text.as_bytes());
        while !rest.is_empty() {
            let (part, after) = rest.split_at(1 + dice.below(rest.len()));
            streamed.extend_from_slice(&stream.part(part));
            rest = after;
        }
        streamed.extend(stream.end());
        assert_eq!(String::from_utf8_lossy(&streamed), whole, "of {text}");
        assert!(secrets.iter().all(|secret| !whole.contains(secret)), "{text} became {whole}");
        if secrets.iter().all(|secret| !text.contains(secret)) {
            assert_eq!(whole, text);
        }
    }
}
