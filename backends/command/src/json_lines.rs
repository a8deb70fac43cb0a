//! Follows a program that prints JSON, one object per line.
//!
//! Rules say where to find the messages, the session, errors and token counts. The rule `type=text part.text` means: if
//! `type` is `text`, take the value of `part.text`. A rule has any number of conditions and ends with the path of the
//! value. In a condition, `=` compares the whole value and `^=` its beginning. In a path, a number is an index into a
//! list.
//!
//! ```text
//! rule                        object                                    value
//! type=text part.text         {"type":"text","part":{"text":"done"}}    done
//! error.0.message             {"error":[{"message":"no key"}]}          no key
//! type=end said^=Error said   {"type":"end","said":"Error: 400"}        Error: 400
//! ```

use connector_api::{
    AgentEvent, AgentFailure, AgentSession, Chunks, Exit, JsonReader, Line, Outcome, SplitSurrogates, Step, Tail,
    Usage, Verdict, Warning,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// The table `[backends.NAME.json_lines]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct JsonLines {
    /// How to find the agent's messages: rules such as `type=text part.text`, tried in this order.
    pub(crate) message: Vec<String>,
    /// Which of the messages are the answer; `last` by default.
    pub(crate) answer: AnswerSelection,
    /// How to find the session ID.
    pub(crate) session: Vec<String>,
    /// How to find error messages. A run with an error has failed, whatever its exit code.
    pub(crate) error: Vec<String>,
    /// How to find the number of input tokens.
    pub(crate) input_tokens: Vec<String>,
    /// How to find the number of output tokens.
    pub(crate) output_tokens: Vec<String>,
}

/// The messages that form the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AnswerSelection {
    /// The last one.
    #[default]
    Last,
    /// All of them, concatenated: for agents that print an answer in pieces.
    Joined,
}

impl JsonLines {
    /// Every rule, with its key.
    pub(crate) fn rules(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let lists = [
            ("message", &self.message),
            ("session", &self.session),
            ("error", &self.error),
            ("input_tokens", &self.input_tokens),
            ("output_tokens", &self.output_tokens),
        ];
        lists.into_iter().flat_map(|(key, rules)| rules.iter().map(move |rule| (key, rule.as_str())))
    }
}

/// Checks that a rule consists of conditions and a path. Fails with the end of a sentence about the mistake.
pub(crate) fn check_rule(rule: &str) -> Result<(), String> {
    let Some(path) = rule.split_whitespace().next_back() else { return Err("is empty".into()) };
    if path.contains('=') {
        return Err(format!("ends with the condition `{path}`; the path of the value comes last"));
    }
    let conditions = rule.split_whitespace().rev().skip(1);
    let no_condition = conditions.into_iter().find(|word| word.split_once('=').is_none_or(|(path, _)| path.is_empty()));
    no_condition.map_or(Ok(()), |word| Err(format!("contains `{word}`, which is not a condition such as `type=text`")))
}

/// The value of the first rule whose conditions hold and whose path exists.
fn find<'a>(rules: &[String], object: &'a Value) -> Option<&'a Value> {
    rules.iter().find_map(|rule| {
        let mut words = rule.split_whitespace().rev();
        let path = words.next()?;
        let holds = |condition: &str| {
            let (path, wanted) = condition.split_once('=')?;
            match path.strip_suffix('^') {
                Some(path) => at(object, path).map(|found| text(found).starts_with(wanted)),
                None => at(object, path).map(|found| text(found) == wanted),
            }
        };
        let all_hold = words.all(|condition| holds(condition) == Some(true));
        all_hold.then(|| at(object, path)).flatten().filter(|value| !value.is_null())
    })
}

fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, word| match value {
        Value::Array(list) => list.get(word.parse::<usize>().ok()?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => value.get(word),
    })
}

/// A string unchanged, and any other value as JSON.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The state of one run.
#[derive(Debug)]
pub(crate) struct JsonSession {
    reader: JsonReader,
    program: String,
    rules: JsonLines,
    session_id: Option<String>,
    answer: Option<Chunks>,
    error: Option<String>,
    usage: Option<Usage>,
    /// The lines that were not JSON.
    stdout: Tail,
    stderr: Tail,
}

impl JsonSession {
    pub(crate) fn new(program: &str, rules: JsonLines) -> Self {
        Self {
            reader: JsonReader::default(),
            program: program.to_owned(),
            rules,
            session_id: None,
            answer: None,
            error: None,
            usage: None,
            stdout: Tail::for_failures(),
            stderr: Tail::for_failures(),
        }
    }

    fn read(&mut self, object: &Value, surrogates: SplitSurrogates) -> Vec<AgentEvent> {
        let mut events = vec![];
        if let Some(id) = find(&self.rules.session, object).map(text)
            && self.session_id.as_ref() != Some(&id)
        {
            self.session_id = Some(id.clone());
            events.push(AgentEvent::SessionStarted { id });
        }
        if let Some(text) = find(&self.rules.message, object).map(text) {
            match self.rules.answer {
                // A blank message does not replace an earlier one.
                AnswerSelection::Last if self.answer.is_some() && text.trim().is_empty() => {}
                AnswerSelection::Last => self.answer.insert(Chunks::default()).push(&text, surrogates),
                AnswerSelection::Joined => self.answer.get_or_insert_default().push(&text, surrogates),
            }
            events.push(AgentEvent::Message { text });
        }
        if let Some(message) = find(&self.rules.error, object).map(text) {
            self.error = Some(message.clone());
            events.push(AgentEvent::FatalError { message });
        }
        let count = |rules: &[String]| find(rules, object).and_then(Value::as_u64);
        let (input, output) = (count(&self.rules.input_tokens), count(&self.rules.output_tokens));
        if input.is_some() || output.is_some() {
            let before = self.usage.unwrap_or_default();
            let usage = Usage {
                input_tokens: input.unwrap_or(before.input_tokens),
                output_tokens: output.unwrap_or(before.output_tokens),
                ..before
            };
            self.usage = Some(usage);
            events.push(AgentEvent::Usage(usage));
        }
        if events.is_empty() {
            let kind = object["type"].as_str().unwrap_or("event").to_owned();
            events.push(AgentEvent::Other { kind, raw: object.to_string() });
        }
        events
    }
}

impl AgentSession for JsonSession {
    fn stdout(&mut self, line: Line<'_>) -> Vec<Step> {
        let events: Vec<_> = match line {
            Line::Whole(bytes) => {
                let line = self.reader.read(bytes);
                let problem_events = line.problem_events();
                line.objects
                    .iter()
                    .flat_map(|object| self.read(&object.value, object.surrogates))
                    .chain(problem_events)
                    .collect()
            }
            Line::TooLong { head, length: _ } => {
                self.reader.too_long(head);
                vec![]
            }
        };
        if events.is_empty() {
            self.stdout.push(line);
        }
        events.into_iter().map(Step::Event).collect()
    }

    fn stderr(&mut self, line: Line<'_>) -> Vec<Step> {
        self.stderr.push(line);
        vec![]
    }

    fn warnings(&self) -> Vec<Warning> {
        self.reader.warning().into_iter().collect()
    }

    fn finish(self: Box<Self>, exit: Exit) -> Verdict {
        let answer = self.answer.filter(|answer| !answer.is_blank()).map(|answer| answer.text());
        let outcome = match (&self.error, &answer, exit) {
            (None, Some(_), Exit::Code(0)) => Outcome::Completed,
            (error, _, _) => {
                let silence = || format!("`{}` ended with {exit} without a message that matches a rule", self.program);
                let said = error.clone().or_else(|| self.stderr.text()).or_else(|| self.stdout.text());
                Outcome::Failed(AgentFailure::new(said.unwrap_or_else(silence)))
            }
        };
        Verdict { outcome, answer, session_id: self.session_id, usage: self.usage }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rules(rules: Value) -> JsonLines {
        serde_json::from_value(rules).expect("the rules of this test are valid")
    }

    fn run(rules: JsonLines, lines: &[Value], exit: Exit) -> Verdict {
        let mut session = Box::new(JsonSession::new("agent", rules));
        for line in lines {
            session.stdout(Line::Whole(line.to_string().as_bytes()));
        }
        session.finish(exit)
    }

    #[test]
    fn fields_are_found_by_conditions_and_paths() {
        let rules = rules(json!({
            "message": ["type=text part.text", "type=final parts.1"],
            "session": ["sessionID"],
            "error": ["type=error error.data.message", "type=error error", "type=end said^=[Error said"],
            "input_tokens": ["usage.in"],
            "output_tokens": ["usage.out"],
        }));
        let verdict = run(
            rules.clone(),
            &[
                json!({"type": "start", "sessionID": "s1"}),
                json!({"type": "tool", "part": {"text": "not a message"}}),
                json!({"type": "text", "part": {"text": "one"}, "usage": {"in": 7}}),
                json!({"type": "final", "parts": ["x", "two"], "usage": {"out": 3}}),
            ],
            Exit::Code(0),
        );
        assert_eq!((verdict.outcome, verdict.answer.as_deref()), (Outcome::Completed, Some("two")));
        assert_eq!(verdict.session_id.as_deref(), Some("s1"));
        assert_eq!(verdict.usage.map(|usage| (usage.input_tokens, usage.output_tokens)), Some((7, 3)));
        for (error, said) in [(json!({"data": {"message": "no key"}}), "no key"), (json!("plain"), "plain")] {
            let lines = [json!({"type": "text", "part": {"text": "half"}}), json!({"type": "error", "error": error})];
            let Outcome::Failed(failure) = run(rules.clone(), &lines, Exit::Code(0)).outcome else { panic!("{said}") };
            assert_eq!(failure.message, said);
        }
        let end = |said: &str| {
            run(
                rules.clone(),
                &[json!({"type": "text", "part": {"text": "x"}}), json!({"type": "end", "said": said})],
                Exit::Code(0),
            )
        };
        assert!(
            matches!(end("[Error: 400] no").outcome, Outcome::Failed(failure) if failure.message == "[Error: 400] no")
        );
        assert_eq!(end("an [Error").outcome, Outcome::Completed);
    }

    #[test]
    fn chunks_are_joined_when_configured() {
        let lines = [json!({"delta": "a"}), json!({"delta": "b"})];
        let joined = run(rules(json!({"message": ["delta"], "answer": "joined"})), &lines, Exit::Code(0));
        assert_eq!(joined.answer.as_deref(), Some("ab"));
        let last = run(rules(json!({"message": ["delta"]})), &lines, Exit::Code(0));
        assert_eq!(last.answer.as_deref(), Some("b"));
    }

    #[test]
    fn a_blank_message_is_ignored() {
        for answer in ["last", "joined"] {
            let run = |texts: &[&str]| {
                let lines: Vec<_> = texts.iter().map(|text| json!({"delta": text})).collect();
                run(rules(json!({"message": ["delta"], "answer": answer})), &lines, Exit::Code(0))
            };
            let verdict = run(&["three bugs", "", " \n"]);
            assert_eq!(verdict.answer.as_deref().map(str::trim), Some("three bugs"), "{answer}");
            let blank = run(&["", " "]);
            assert!(matches!(blank.outcome, Outcome::Failed(_)) && blank.answer.is_none(), "{answer}: {blank:?}");
        }
    }

    #[test]
    fn joined_chunks_are_bounded_and_surrogates_are_rejoined() {
        let mut session = Box::new(JsonSession::new("agent", rules(json!({"message": ["delta"], "answer": "joined"}))));
        for text in [r"a\ud83d", r"\ude00"] {
            session.stdout(Line::Whole(format!(r#"{{"delta":"{text}"}}"#).as_bytes()));
        }
        for _ in 0..100 {
            session.stdout(Line::Whole(json!({"delta": "x".repeat(100_000)}).to_string().as_bytes()));
        }
        session.stdout(Line::Whole(br#"{"delta":"z"}"#));
        let answer = session.finish(Exit::Code(0)).answer.expect("the ends are kept");
        assert!(answer.len() < 2 << 20 && answer.starts_with("a\u{1f600}xx") && answer.ends_with("xz"));
    }

    #[test]
    fn an_invalid_rule_is_reported() {
        for (rule, words) in [
            ("", "empty"),
            ("type=text", "comes last"),
            ("text part.text", "not a condition"),
            ("=x y", "not a condition"),
        ] {
            assert!(check_rule(rule).is_err_and(|why| why.contains(words)), "{rule:?}");
        }
        assert_eq!(check_rule("type=text a=b part.0.text"), Ok(()));
    }
}
