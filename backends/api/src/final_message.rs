//! Selects the final message among an agent's messages.

use crate::Warning;

/// The last message that is not blank, and whether the agent continued to work after it.
///
/// An agent may announce what it is about to do, do it, and end its turn without another message, or with a blank one.
/// The announcement is then its final message, and [`warning`](Self::warning) says that it may not be a summary.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FinalMessage {
    text: Option<String>,
    is_followed_by_work: bool,
}

impl FinalMessage {
    /// Records a message. A blank one is ignored.
    pub fn record_message(&mut self, text: impl AsRef<str>) {
        let text = text.as_ref();
        if !text.trim().is_empty() {
            // Reuses the buffer: an agent may send a thousand messages a second.
            text.clone_into(self.text.get_or_insert_default());
            self.is_followed_by_work = false;
        }
    }

    /// Records that the agent ran a command, changed a file, or called another tool.
    pub fn record_work(&mut self) {
        self.is_followed_by_work = true;
    }

    /// The message; never blank.
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// Consumes this and returns the message; never blank.
    pub fn into_text(self) -> Option<String> {
        self.text
    }

    /// A warning for the reader of the message, once the turn is over. `None` if there is no message at all: the
    /// supervisor warns about that itself.
    pub fn warning(&self) -> Option<Warning> {
        (self.text.is_some() && self.is_followed_by_work).then(|| Warning {
            message:
                "the agent's last message came before its last command or tool call, so it may announce work rather \
                      than report it"
                    .to_owned(),
            advice: Some("check the work itself, or resume the session and ask for a summary".to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blank_message_is_ignored() {
        let mut message = FinalMessage::default();
        message.record_message(" \n");
        assert_eq!(message.text(), None);
        message.record_message("three bugs");
        for blank in ["", " ", "\n\t"] {
            message.record_message(blank);
        }
        assert_eq!((message.text(), message.warning()), (Some("three bugs"), None));
    }

    #[test]
    fn a_message_followed_by_work_gets_a_warning_until_the_next_message() {
        let mut message = FinalMessage::default();
        message.record_work();
        assert_eq!(message.warning(), None, "the supervisor warns about a missing message");
        message.record_message("I will look");
        message.record_work();
        message.record_message("  ");
        assert!(message.warning().is_some_and(|warning| warning.message.contains("before its last command")));
        message.record_message("done");
        assert_eq!((message.warning(), message.into_text().as_deref()), (None, Some("done")));
    }
}
