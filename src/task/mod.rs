//! Tasks as pure data: the types that describe a task, and how they are serialized.
//!
//! Nothing here reads a clock, a file or a process.

mod above_ceiling;
mod activity;
mod ceiling;
mod changes;
mod end;
mod git;
mod id;
mod live;
mod live_task;
mod message;
mod operated;
mod origin;
mod pages;
mod policy;
mod record;
mod record_file;
mod resumption;
mod retention;
mod since;
mod span;
mod spec;
mod standing;
mod status;
mod submitter;
mod summary;
mod task_diff;
mod text;
mod timeline;
mod totals;
mod trouble;
mod untrusted;
mod view;
mod workspace;
mod workspace_spec;

pub use above_ceiling::AboveCeiling;
pub use activity::ActivityKind;
pub use ceiling::{Ceiling, TaskRequest};
pub use changes::{ChangeKind, ChangedPath, Changes, MAX_LISTED_PATHS, Omission, OmissionReason, WorkspaceState};
pub(crate) use end::signal_name;
pub use end::{FailureReason, StopCause};
pub use git::{GitPath, InvalidObjectId, ObjectId};
pub use id::{InvalidTaskId, TaskId};
pub use live::LiveView;
pub use live_task::LiveTask;
pub(crate) use message::message;
pub use message::{Message, MessagePart};
pub use operated::{ConflictReason, FileConflict, NewBranch, OperationResult, RecoveredOperation, RecoveryState};
pub use origin::{ChosenBy, RuleOrigin, SandboxChoice};
pub use pages::{ActivityPage, LogPage, PageLine};
pub use policy::{CgroupUse, Grace, OnAgentExit, OnServerExit, Policy};
pub use record::{ProcessIdentity, RECORD_FORMAT, TaskEnd, TaskProgress, TaskRecord, TaskStart};
pub use resumption::Resumption;
pub use retention::Retention;
pub use since::since;
pub use span::{millis, millis_of, optional_millis, span};
pub use spec::{Fallback, FrozenBackend, IndexLimits, SPEC_FORMAT, TaskSpec, TrustedFile, TrustedKind};
pub use standing::{ChangesPlace, Standing, last_operations};
pub use status::{EndStatus, TaskStatus};
pub use submitter::{SubmittedBy, Submitter, is_session_id};
pub use summary::{Outcome, Page, StateFilter, Summaries, TaskCounts, TaskState, TaskSummary};
pub use task_diff::{Compared, TaskDiff};
pub use text::{cut_middle, first_line};
pub use timeline::{
    ActivityMark, ActivitySpan, ChangedFile, CommandOutcome, EntryHead, MAX_TEXT_BYTES, PlanItem, SpanBuilder,
    SpanKind, TIMELINE_FORMAT, TimelineEntry, TimelineEvent, WarningSource, excerpt, fit_items,
};
pub(crate) use timeline::{is_exempt, outcome, script};
pub use totals::{DailyUsage, DayUsage, Totals, TotalsBy, UsageReport};
pub use trouble::Trouble;
pub use untrusted::Untrusted;
pub use view::{Listing, LogTail, ResultText, Steps, TaskView, WaitsFor};
pub use workspace::{
    FrozenSetting, FrozenSettings, ObjectFormat, Operation, OperationKind, OperationState, Place, TaskWorkspace,
    WORKSPACE_FORMAT, Worktree,
};
pub use workspace_spec::{Parallel, Snapshots, TreeUse, WorkspaceSpec};
