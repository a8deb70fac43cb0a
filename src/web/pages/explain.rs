//! Refusals on pages.

use crate::{
    broker::{Broker, Refusal},
    present::Refused,
};

/// The refusal and the next step, redacted. A person reads it, so the next step is a command.
pub(crate) fn explain(broker: &Broker, refusal: &Refusal) -> Refused {
    refusal.explain_for_terminal().redacted(broker.redactor())
}
