//! The real Codex, cancelled while its commands run. Its model is scripted: no login, no key, no bill.

use std::{sync::Mutex, thread, time::Duration};

use connector_testing::{
    ScriptStep, ScriptedModel,
    codex::{self, CodexHome, InstallProblem},
};

use super::{
    cancels::{measured_cancel, obeying_plan, started_id},
    plan::Plan,
    process_scan::TaskTree,
    report::Timing,
    round::Round,
    verify::{Expected, TaskOutcome, Writers, verify},
    world::{ANSWER_TIMEOUT, Setup, World, within},
};

/// The command that Codex runs: one child in its session, one in a separate session, and one that ignores SIGHUP.
const COMMAND: &str = "sleep 300 & setsid sleep 300 & nohup sleep 300 &";

/// A Codex and a model for it, both running as long as this value exists.
pub(crate) struct RealCodex {
    pub(crate) setup: Setup,
    _model: ScriptedModel,
    _home: CodexHome,
}

impl RealCodex {
    /// Installs Codex if necessary.
    pub(crate) fn new(setup: &Setup) -> Result<RealCodex, InstallProblem> {
        let program = codex::install(codex::NEWEST)?;
        let model = ScriptedModel::start();
        let home = CodexHome::new(&model.base_url(), "mock-model");
        let variables = vec![("CODEX_HOME".to_owned(), home.codex_home().to_string_lossy().into_owned())];
        Ok(RealCodex { setup: Setup { codex: program, variables, ..setup.clone() }, _model: model, _home: home })
    }
}

/// Starts one Codex task and cancels it.
pub(crate) fn play(round: &Round<'_>, world: &World) {
    let mut rng = round.rng(0);
    // Either a command that returns and leaves its children running, or one that is still running.
    let command = if rng.bool() { COMMAND.to_owned() } else { format!("{COMMAND} wait") };
    let plan = Plan::scripted(0, &[ScriptStep::Shell(command), ScriptStep::Hang]);
    let after = Duration::from_millis(rng.u64(0..1000));

    let mut server = world.server();
    let id = started_id(&server.call("codex_agent", world.arguments(&plan), |_| {}));
    round.begun(1);
    let tree = TaskTree { id: id.clone(), mark: world.mark(0) };
    let sleepers = || tree.members().iter().filter(|seen| seen.args.ends_with("sleep 300")).count();
    if within(ANSWER_TIMEOUT, || (sleepers() >= 3).then_some(())).is_none() {
        round.violation(format!("Codex did not run its command:\n{}", world.log(&id)));
    }
    thread::sleep(after);
    let timing = Timing { name: "real Codex", limit: obeying_plan(round.context) };
    measured_cancel(round, &Mutex::new(server), &tree, timing);

    let expected = Expected {
        plan: &plan,
        id: Some(id),
        outcomes: vec![TaskOutcome::Cancelled],
        story: format!("after {after:?}"),
    };
    verify(round, world, &[expected], &Writers::default());
}
