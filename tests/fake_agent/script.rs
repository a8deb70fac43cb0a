//! Turns a prompt into steps: its script, or the steps for one of a few plain sentences.
//!
//! | sentence, anywhere in the prompt | the agent |
//! |---|---|
//! | Reply with exactly this word: `` `WORD` `` | replies with it, and remembers it for the session |
//! | Reply with exactly the word you replied with before. | repeats it, or says `none` |
//! | Run the shell command: `` `CMD` `` | runs it, then says `done` |
//! | Create the file `` `PATH` `` with the content: `` `TEXT` `` | creates the file if its sandbox allows it, then says `done` |
//! | Write the numbers from 1 to 5000 in words | prints nothing |
//! | Fail with this message: `` `TEXT` `` | fails like its model |
//!
//! A real agent behaves the same way if its model follows instructions.

use serde_json::{Value, json};

use super::FakeAgentError;

/// Maximum number of the prompt's characters in the reply.
const ECHO_CHARS: usize = 80;

/// The list after `FAKE` in `prompt`, or the steps for its sentence, or one message. Text after the list is ignored.
pub(crate) fn steps(prompt: &str) -> Result<Vec<Value>, FakeAgentError> {
    let Some(mark) = prompt.find("FAKE[") else {
        return Ok(obedience(prompt).unwrap_or_else(|| {
            let beginning: String = prompt.chars().take(ECHO_CHARS).collect();
            vec![json!({"say": format!("ok: {beginning}")})]
        }));
    };
    let mut values = serde_json::Deserializer::from_str(&prompt[mark + 4..]).into_iter::<Vec<Value>>();
    values.next().unwrap_or_else(|| Ok(Vec::new())).map_err(|problem| FakeAgentError::Script(problem.to_string()))
}

/// The steps for the sentence in `prompt`, if there is one.
fn obedience(prompt: &str) -> Option<Vec<Value>> {
    let quoted = |before: &str| {
        let (_, rest) = prompt.split_once(before)?;
        rest.strip_prefix('`')?.split_once('`')
    };
    if let Some((word, _)) = quoted("Reply with exactly this word: ") {
        return Some(vec![json!({"reply": word})]);
    }
    if prompt.contains("Reply with exactly the word you replied with before.") {
        return Some(vec![json!({"recall": true})]);
    }
    if let Some((command, _)) = quoted("Run the shell command: ") {
        return Some(vec![json!({"run": command}), json!({"say": "done"})]);
    }
    if let Some((path, rest)) = quoted("Create the file ") {
        let (text, _) = rest.strip_prefix(" with the content: `")?.split_once('`')?;
        return Some(vec![json!({"create": {"path": path, "text": text}}), json!({"say": "done"})]);
    }
    if prompt.contains("Write the numbers from 1 to 5000 in words") {
        return Some(vec![json!({"hang": true})]);
    }
    quoted("Fail with this message: ").map(|(text, _)| vec![json!({"fail": text})])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_without_a_script_is_echoed_in_part() {
        let prompt = "é".repeat(100);
        assert_eq!(
            steps(&prompt).expect("a prompt needs no script"),
            [json!({"say": format!("ok: {}", "é".repeat(80))})]
        );
    }

    #[test]
    fn a_script_ends_where_its_list_ends() {
        let steps = steps(r#"Do FAKE[{"say": "a"}, {"exit": 3}] now"#).expect("a good script");
        assert_eq!(steps, [json!({"say": "a"}), json!({"exit": 3})]);
    }

    #[test]
    fn a_malformed_list_is_an_error() {
        assert!(steps("FAKE[broken").is_err());
    }

    #[test]
    fn each_sentence_is_obeyed_anywhere_in_the_prompt() {
        let done = json!({"say": "done"});
        for (prompt, expected) in [
            ("--help! Reply with exactly this word: `pear` Thank you.", vec![json!({"reply": "pear"})]),
            ("Now: Reply with exactly the word you replied with before.", vec![json!({"recall": true})]),
            ("Run the shell command: `ls -l` Now.", vec![json!({"run": "ls -l"}), done.clone()]),
            (
                "Create the file `/a/b` with the content: `c d`",
                vec![json!({"create": {"path": "/a/b", "text": "c d"}}), done],
            ),
            ("Write the numbers from 1 to 5000 in words, one a line.", vec![json!({"hang": true})]),
            ("Fail with this message: `no luck`", vec![json!({"fail": "no luck"})]),
        ] {
            assert_eq!(steps(prompt).expect("a good prompt"), expected, "{prompt}");
        }
    }

    #[test]
    fn an_incomplete_sentence_is_only_echoed() {
        for prompt in ["Run the shell command: ls", "Create the file `a`"] {
            assert_eq!(steps(prompt).expect("a good prompt"), [json!({"say": format!("ok: {prompt}")})]);
        }
    }
}
