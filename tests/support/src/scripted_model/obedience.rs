//! The plain sentences that the scripted model obeys, for prompts that real models must understand as well.

use super::{
    conversation::{Conversation, UserMessage},
    step::{Fail, FileText, ScriptStep},
};

/// The steps that `message` asks for, if it contains one of these sentences:
///
/// | sentence | the model |
/// |---|---|
/// | Reply with exactly this word: `WORD` | says it |
/// | Reply with exactly the word you replied with before. | says its last message, or `none` |
/// | Run the shell command: `COMMAND` | calls the shell, then says `done` |
/// | Create the file `PATH` with the content: `TEXT` | calls the editor, then says `done` |
/// | Write the numbers from 1 to 5000 in words | sends nothing |
/// | Fail with this message: `TEXT` | the request fails with HTTP 400 |
pub(super) fn steps(message: UserMessage<'_>, conversation: &Conversation) -> Option<Vec<ScriptStep>> {
    let quoted = |before: &str| {
        let (_, rest) = message.text.split_once(before)?;
        rest.strip_prefix('`')?.split_once('`')
    };
    if let Some((word, _)) = quoted("Reply with exactly this word: ") {
        return Some(vec![ScriptStep::Say(word.to_owned())]);
    }
    if message.text.contains("Reply with exactly the word you replied with before.") {
        let word = conversation.said_before(message.position).unwrap_or("none");
        return Some(vec![ScriptStep::Say(word.trim().to_owned())]);
    }
    if let Some((command, _)) = quoted("Run the shell command: ") {
        return Some(vec![ScriptStep::Shell(command.to_owned()), done()]);
    }
    if let Some((path, rest)) = quoted("Create the file ") {
        let (text, _) = rest.strip_prefix(" with the content: `")?.split_once('`')?;
        return Some(vec![ScriptStep::Write(FileText { path: path.to_owned(), text: text.to_owned() }), done()]);
    }
    if message.text.contains("Write the numbers from 1 to 5000 in words") {
        return Some(vec![ScriptStep::Hang]);
    }
    let (text, _) = quoted("Fail with this message: ")?;
    Some(vec![ScriptStep::Fail(Fail { status: 400, message: Some(text.to_owned()), ..Fail::default() })])
}

fn done() -> ScriptStep {
    ScriptStep::Say("done".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted_model::conversation::ConversationItem;

    fn asked(text: &str) -> Option<Vec<ScriptStep>> {
        let items = vec![ConversationItem::Assistant("apple".into()), ConversationItem::User(text.into())];
        let conversation = Conversation { items, tools: vec![] };
        steps(UserMessage { position: 1, text }, &conversation)
    }

    #[test]
    fn each_sentence_is_obeyed_anywhere_in_the_prompt() {
        let say = |word: &str| ScriptStep::Say(word.into());
        let file = FileText { path: "/a/b".into(), text: "c d".into() };
        for (sentence, expected) in [
            ("--help! Reply with exactly this word: `pear` Thank you.", vec![say("pear")]),
            ("Reply with exactly the word you replied with before.", vec![say("apple")]),
            ("Run the shell command: `ls -l` Now.", vec![ScriptStep::Shell("ls -l".into()), say("done")]),
            ("Create the file `/a/b` with the content: `c d`", vec![ScriptStep::Write(file), say("done")]),
            ("Write the numbers from 1 to 5000 in words, one a line.", vec![ScriptStep::Hang]),
        ] {
            assert_eq!(asked(sentence), Some(expected), "{sentence}");
        }
        assert!(matches!(asked("Fail with this message: `no`").as_deref(), Some([ScriptStep::Fail(_)])));
        assert_eq!(asked("Reply as you like."), None);
    }
}
