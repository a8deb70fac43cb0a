use super::*;

fn redactor(variables: &[(&str, &str)]) -> Redactor {
    Redactor::of(variables.iter().map(|(name, value)| (name.into(), value.into())))
}

/// Deterministic pseudo-random numbers.
struct Rng(u64);

impl Rng {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits fit") % bound
    }
}

#[test]
fn a_secret_is_replaced_by_the_name_of_its_variable() {
    let redactor =
        redactor(&[("MY_TOKEN", "hunter2-hunter2"), ("PATH", "/usr/bin:/bin"), ("B\n|`_KEY", "0ther-secret")]);
    assert_eq!(redactor.text("a hunter2-hunter2, 0ther-secret b"), "a [redacted:MY_TOKEN], [redacted:B???_KEY] b");
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
    let mut stream = StreamRedactor::new(redactor);
    assert!(matches!(stream.part(b"x"), Cow::Borrowed(b"x")) && stream.end().is_empty());
}

#[test]
fn a_truncated_line_keeps_no_beginning_of_a_secret() {
    let redactor = redactor(&[("A_KEY", "12345678")]);
    assert_eq!(&*redactor.beginning(b"some text 1234567"), b"some text ");
    assert_eq!(&*redactor.beginning(b"some text 12345678"), b"some text [redacted:A_KEY]");
    assert_eq!(&*redactor.beginning(b"12"), b"");
}

#[test]
fn no_secret_passes_at_any_position_or_split() {
    let secrets = ["AaaaaaaA", "abAbababAbab", "AaaaaaaAbbbbbbbb", "ä\"ö\\ü-äöü"];
    let variables: Vec<_> = secrets.iter().enumerate().map(|(at, value)| (format!("S{at}_KEY"), *value)).collect();
    let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let redactor = redactor(&variables);
    let mut rng = Rng(7);
    for _ in 0..3_000 {
        let mut text = String::new();
        for _ in 0..rng.below(12) {
            match rng.below(3) {
                0 => text.push_str(secrets[rng.below(secrets.len())]),
                1 => text.push_str(&"Ab"[..rng.below(3)]),
                _ => text.push_str(["ä", "\"", "aaa", "bAba", "xyz "][rng.below(5)]),
            }
        }
        let expected = redactor.text(&text).into_owned();
        let mut stream = StreamRedactor::new(redactor.clone());
        let (mut streamed, mut rest) = (Vec::new(), text.as_bytes());
        while !rest.is_empty() {
            let (part, after) = rest.split_at(1 + rng.below(rest.len()));
            streamed.extend_from_slice(&stream.part(part));
            rest = after;
        }
        streamed.extend(stream.end());
        assert_eq!(String::from_utf8_lossy(&streamed), expected, "of {text}");
        assert!(secrets.iter().all(|secret| !expected.contains(secret)), "{text} became {expected}");
        if secrets.iter().all(|secret| !text.contains(secret)) {
            assert_eq!(expected, text);
        }
    }
}

#[test]
fn several_secrets_in_different_forms_are_found_in_one_pass() {
    let redactor = redactor(&[("A_KEY", "s3cr'et+/=value/x y"), ("B_TOKEN", "a<b>ü\u{7f}/9")]);
    let text = "?a=s3cr'et%2B%2F%3Dvalue%2Fx%20y&b=s3cr%27et%2b%2f%3dvalue%2fx+y \
                {\"t\":\"a\\u003cb\\u003eü\u{7f}/9\",\"u\":\"a<b>\\u00fc\\u007f\\/9\"}";
    let redacted = "?a=[redacted:A_KEY]&b=[redacted:A_KEY] {\"t\":\"[redacted:B_TOKEN]\",\"u\":\"[redacted:B_TOKEN]\"}";
    assert_eq!(redactor.text(text), redacted);
}

#[test]
fn a_common_word_is_redacted_only_next_to_its_variable_name() {
    let redactor = redactor(&[("POSTGRES_PASSWORD", "postgres")]);
    let text = "image: postgres:16, DATABASE_URL=postgres://db/app";
    assert_eq!(redactor.text(text), text);
    for (text, redacted) in [
        ("POSTGRES_PASSWORD=postgres", "POSTGRES_PASSWORD=[redacted:POSTGRES_PASSWORD]"),
        ("POSTGRES_PASSWORD: 'postgres'", "POSTGRES_PASSWORD: '[redacted:POSTGRES_PASSWORD]'"),
        ("{\"POSTGRES_PASSWORD\":\"postgres\"}", "{\"POSTGRES_PASSWORD\":\"[redacted:POSTGRES_PASSWORD]\"}"),
        ("\\\"POSTGRES_PASSWORD\\\": \\\"postgres", "\\\"POSTGRES_PASSWORD\\\": \\\"[redacted:POSTGRES_PASSWORD]"),
    ] {
        assert_eq!(redactor.text(text), redacted);
    }
}

#[test]
fn parts_of_public_paths_are_not_redacted() {
    let redactor = redactor(&[("DB_PASSWORD", "Jsmith1990"), ("API_KEY", "sk-0123456789")]);
    let spared = redactor.sparing(&[Path::new("/elsewhere"), Path::new("/home/Jsmith1990/project")]);
    let text = "/home/Jsmith1990/project: sk-0123456789";
    assert_eq!(spared.text(text), "/home/Jsmith1990/project: [redacted:API_KEY]");
    assert_eq!(redactor.sparing(&[Path::new("/home")]).text(text), redactor.text(text));
    let idle = redactor.sparing(&[Path::new("/home/Jsmith1990/sk-0123456789")]);
    assert!(idle.is_idle() && idle.text(text) == text);
}
