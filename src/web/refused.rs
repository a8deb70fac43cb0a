//! The status and the reason of a request that was refused.

use hyper::StatusCode;

use super::parameters::InvalidParameters;
use crate::{
    broker::Refusal,
    present::{Refused, web::answers},
};

/// The status of a response that explains this refusal.
pub(super) fn status_of(refusal: &Refusal) -> StatusCode {
    match refusal.reason() {
        Refusal::NoSuchTask(_) | Refusal::NotOneTask(_) | Refusal::OtherLogDir { .. } => StatusCode::NOT_FOUND,
        Refusal::AfterRecovery { .. }
        | Refusal::NotResumable(_)
        | Refusal::NotRemovable(_)
        | Refusal::NotOperable(_)
        | Refusal::UnknownBackend(_)
        | Refusal::WorkingDirectory { .. }
        | Refusal::AboveCeiling(_)
        | Refusal::Exposed(_)
        | Refusal::WorktreeForReading
        | Refusal::Unsupported(_)
        | Refusal::NotUsable { .. }
        | Refusal::ProgramTimedOut { .. } => StatusCode::CONFLICT,
        Refusal::Start(_) | Refusal::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
        Refusal::TimedOut { .. } => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// Why parameters cannot be understood.
pub(super) fn invalid(parameters: &InvalidParameters) -> Refused {
    match parameters {
        InvalidParameters::TooLong => answers::parameters_too_long(),
        InvalidParameters::Malformed => answers::parameters_malformed(),
        InvalidParameters::Repeated(name) => answers::parameter_repeated(name),
        InvalidParameters::Unknown(name) => answers::parameter_unknown(name),
        InvalidParameters::Value(name) => answers::parameter_invalid(name),
    }
}
