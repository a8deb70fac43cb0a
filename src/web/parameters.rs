//! The parameters of an address or of a form: `name=value` pairs between `&`, percent-encoded.

use percent_encoding::percent_decode;

/// Maximum length of the part of an address after the question mark, in bytes.
const MAX_QUERY_BYTES: usize = 8 << 10;

/// Maximum number of parameters.
const MAX_PARAMETERS: usize = 32;

/// Parameters, each at most once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parameters(Vec<(String, Vec<u8>)>);

/// Parameters that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum InvalidParameters {
    /// There are too many, or they are too long.
    TooLong,
    /// They are not percent-encoded text.
    Malformed,
    /// This one is given twice.
    Repeated(String),
    /// This one does not belong to the address.
    Unknown(String),
    /// This one has an invalid value.
    Value(&'static str),
}

impl Parameters {
    /// The parameters of an address.
    pub(super) fn of_query(query: &str) -> Result<Self, InvalidParameters> {
        if query.len() > MAX_QUERY_BYTES {
            return Err(InvalidParameters::TooLong);
        }
        Self::parse(query.as_bytes())
    }

    /// The parameters of a form, whose length was limited before.
    pub(super) fn of_form(body: &[u8]) -> Result<Self, InvalidParameters> {
        Self::parse(body)
    }

    fn parse(text: &[u8]) -> Result<Self, InvalidParameters> {
        let mut found: Vec<(String, Vec<u8>)> = Vec::new();
        for pair in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            let name = String::from_utf8(decoded(&pair[..at])?).map_err(|_| InvalidParameters::Malformed)?;
            let value = decoded(pair.get(at + 1..).unwrap_or_default())?;
            if found.iter().any(|(known, _)| *known == name) {
                return Err(InvalidParameters::Repeated(name));
            }
            if found.len() == MAX_PARAMETERS {
                return Err(InvalidParameters::TooLong);
            }
            found.push((name, value));
        }
        Ok(Self(found))
    }

    /// Takes a parameter; `None` if it is missing or empty. It contains no NUL.
    pub(super) fn bytes(&mut self, name: &'static str) -> Result<Option<Vec<u8>>, InvalidParameters> {
        let Some(at) = self.0.iter().position(|(known, _)| known == name) else { return Ok(None) };
        let (_, value) = self.0.swap_remove(at);
        match value.contains(&0) {
            true => Err(InvalidParameters::Value(name)),
            false => Ok(Some(value).filter(|value| !value.is_empty())),
        }
    }

    /// Takes a parameter of one line: text without control characters.
    pub(super) fn line(&mut self, name: &'static str) -> Result<Option<String>, InvalidParameters> {
        let text = self.text(name)?;
        match text.as_ref().is_some_and(|text| text.contains(char::is_control)) {
            true => Err(InvalidParameters::Value(name)),
            false => Ok(text),
        }
    }

    /// Takes a parameter with any text.
    pub(super) fn text(&mut self, name: &'static str) -> Result<Option<String>, InvalidParameters> {
        let Some(bytes) = self.bytes(name)? else { return Ok(None) };
        String::from_utf8(bytes).map(Some).map_err(|_| InvalidParameters::Value(name))
    }

    /// Takes a parameter that is a number, written with digits only.
    pub(super) fn number(&mut self, name: &'static str) -> Result<Option<u64>, InvalidParameters> {
        let Some(digits) = self.line(name)? else { return Ok(None) };
        let number = digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
        number.map(Some).ok_or(InvalidParameters::Value(name))
    }

    /// Fails if there are parameters that were not taken.
    pub(super) fn finish(self) -> Result<(), InvalidParameters> {
        match self.0.into_iter().next() {
            Some((name, _)) => Err(InvalidParameters::Unknown(name)),
            None => Ok(()),
        }
    }
}

/// Decodes a part of a parameter. A `%` must begin the code of a byte.
fn decoded(part: &[u8]) -> Result<Vec<u8>, InvalidParameters> {
    let is_code = |at: usize| part.get(at + 1..at + 3).is_some_and(|code| code.iter().all(u8::is_ascii_hexdigit));
    if part.iter().enumerate().any(|(at, byte)| *byte == b'%' && !is_code(at)) {
        return Err(InvalidParameters::Malformed);
    }
    let spaced: Vec<u8> = part.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    Ok(percent_decode(&spaced).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(query: &str) -> Result<Parameters, InvalidParameters> {
        Parameters::of_query(query)
    }

    #[test]
    fn parameters_are_decoded_and_taken_once() {
        let mut found = of("repo=%2Fa+b%c3%a9&page=7&since=&file=a%ffb%0a").expect("they are valid");
        assert_eq!(found.line("repo"), Ok(Some("/a bé".to_owned())));
        assert_eq!((found.number("page"), found.line("since"), found.line("state")), (Ok(Some(7)), Ok(None), Ok(None)));
        assert_eq!(found.bytes("file"), Ok(Some(b"a\xffb\n".to_vec())));
        assert_eq!(found.finish(), Ok(()));
    }

    #[test]
    fn invalid_parameters_are_refused() {
        for malformed in ["a=%", "a=%1", "a=%zz", "%ff=1", "a%=1", "a=%%31"] {
            assert_eq!(of(malformed), Err(InvalidParameters::Malformed), "{malformed}");
        }
        assert_eq!(of("a=1&b=2&a=3"), Err(InvalidParameters::Repeated("a".to_owned())));
        assert_eq!(of("a=1&%61=1"), Err(InvalidParameters::Repeated("a".to_owned())));
        assert_eq!(of(&"x".repeat(MAX_QUERY_BYTES + 1)), Err(InvalidParameters::TooLong));
        let many: Vec<_> = (0..=MAX_PARAMETERS).map(|number| format!("a{number}=1")).collect();
        assert_eq!(of(&many.join("&")), Err(InvalidParameters::TooLong));
        assert_eq!(of("x=1").and_then(Parameters::finish), Err(InvalidParameters::Unknown("x".to_owned())));
        let value = |query: &str| of(query).expect("they are valid");
        assert_eq!(value("a=%00").bytes("a"), Err(InvalidParameters::Value("a")));
        assert_eq!(value("a=%0a").line("a"), Err(InvalidParameters::Value("a")));
        assert_eq!(value("a=%ff").line("a"), Err(InvalidParameters::Value("a")));
        for number in ["-1", "+1", "%2B1", "1e3", "0x1", "18446744073709551616", "%d9%a1"] {
            assert_eq!(value(&format!("a={number}")).number("a"), Err(InvalidParameters::Value("a")), "{number}");
        }
    }
}
