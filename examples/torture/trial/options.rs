//! The command line, and the rounds that it selects.

use clap::{Parser, ValueEnum};
use fastrand::Rng;

/// Kills processes, cancels tasks and provokes races, and then checks that nothing was left running, lost, or recorded
/// wrongly
#[derive(Debug, Parser)]
#[command(name = "torture")]
pub(crate) struct TortureOptions {
    /// Number of rounds, with a mixture of all scenarios
    #[arg(long, default_value_t = 60, value_name = "N")]
    rounds: usize,
    /// Seed for all random choices (default: different each time)
    #[arg(long, value_name = "SEED")]
    pub(crate) seed: Option<u64>,
    /// Play only the round with this number, given the same arguments and seed
    #[arg(long, value_name = "N")]
    pub(crate) round: Option<usize>,
    /// Play only this scenario; may be repeated
    #[arg(long, value_enum, value_name = "NAME")]
    scenario: Vec<Scenario>,
    /// Play only cancels and timeouts, this many
    #[arg(long, value_name = "N")]
    cancels: Option<usize>,
    /// Play only rounds of kills, this many
    #[arg(long, value_name = "N")]
    kills: Option<usize>,
    /// Play only windows, with this many operations each
    #[arg(long, value_name = "N")]
    operations: Option<usize>,
    /// Play only Claude Code exits, this many
    #[arg(long, value_name = "N")]
    exits: Option<usize>,
    /// Play only worktrees, this many rounds
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "200")]
    worktrees: Option<usize>,
    /// Add a few cancels of the real Codex, which npm installs into target/ the first time
    #[arg(long)]
    real_codex: bool,
    /// Play only cancels of the real Codex, this many
    #[arg(long, value_name = "N")]
    codex_cancels: Option<usize>,
    /// Number of servers that share one home
    #[arg(long, default_value_t = 8, value_name = "N")]
    pub(crate) windows: usize,
    /// Number of tasks that are cancelled at the same time
    #[arg(long, default_value_t = 8, value_name = "N")]
    pub(crate) tasks_at_once: usize,
    /// Number of rounds that are played at the same time, each with its own home
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) rounds_at_once: usize,
    /// Milliseconds from the interrupt to SIGTERM, and from SIGTERM to SIGKILL
    #[arg(long, default_value_t = 300, value_name = "MS")]
    pub(crate) grace: u64,
    /// Treat exceeded time limits as violations
    #[arg(long)]
    pub(crate) strict_times: bool,
    /// Factor for all time limits, for slow machines
    #[arg(long, default_value_t = 1.0, value_name = "FACTOR")]
    pub(crate) time_factor: f64,
    /// Keep the data directories even without violations
    #[arg(long)]
    pub(crate) keep: bool,
}

/// The subject of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// Tasks that are cancelled or time out
    Cancels,
    /// SIGKILL for servers, supervisors and agents
    Kills,
    /// Many servers on one home
    Windows,
    /// A server that is stopped the way Claude Code stops it
    ClaudeExit,
    /// SIGKILL while tasks work in worktrees of their own
    Worktrees,
    /// The real Codex, cancelled (`--codex-cancels`)
    #[value(skip)]
    RealCodex,
}

/// One round to be played.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Job {
    pub(crate) scenario: Scenario,
    pub(crate) number: usize,
    /// Number of tasks, or of operations per window.
    pub(crate) count: usize,
}

/// Operations per window in a mixture, and if only windows are played.
const FEW_OPERATIONS: usize = 12;
const MANY_OPERATIONS: usize = 60;
/// Number of cancels of the real Codex that are added to other rounds.
const FEW_CODEX_CANCELS: usize = 5;

impl Scenario {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Scenario::Cancels => "cancels",
            Scenario::Kills => "kills",
            Scenario::Windows => "windows",
            Scenario::ClaudeExit => "claude-exit",
            Scenario::Worktrees => "worktrees",
            Scenario::RealCodex => "real-codex",
        }
    }
}

impl TortureOptions {
    /// All rounds, in order.
    pub(crate) fn jobs(&self, seed: u64) -> Vec<Job> {
        let wants = |scenario, count: Option<usize>| count.is_some() || self.scenario.contains(&scenario);
        let mut jobs: Vec<(Scenario, usize)> = Vec::new();
        if wants(Scenario::Cancels, self.cancels) {
            let mut left = self.cancels.unwrap_or(200);
            while left > 0 {
                let count = left.min(self.tasks_at_once.max(1));
                jobs.push((Scenario::Cancels, count));
                left -= count;
            }
        }
        if wants(Scenario::Kills, self.kills) {
            jobs.extend(vec![(Scenario::Kills, 0); self.kills.unwrap_or(50)]);
        }
        if wants(Scenario::Windows, self.operations) {
            jobs.push((Scenario::Windows, self.operations.unwrap_or(MANY_OPERATIONS)));
        }
        if wants(Scenario::ClaudeExit, self.exits) {
            jobs.extend(vec![(Scenario::ClaudeExit, 0); self.exits.unwrap_or(20)]);
        }
        if wants(Scenario::Worktrees, self.worktrees) {
            jobs.extend(vec![(Scenario::Worktrees, 0); self.worktrees.unwrap_or(50)]);
        }
        if jobs.is_empty() && self.codex_cancels.is_none() {
            jobs = self.mixture(seed);
        }
        if self.wants_codex() {
            jobs.extend(vec![(Scenario::RealCodex, 0); self.codex_cancels.unwrap_or(FEW_CODEX_CANCELS)]);
        }
        jobs.into_iter().enumerate().map(|(number, (scenario, count))| Job { scenario, number, count }).collect()
    }

    /// Whether Codex must be installed.
    pub(crate) fn wants_codex(&self) -> bool {
        self.real_codex || self.codex_cancels.is_some()
    }

    fn mixture(&self, seed: u64) -> Vec<(Scenario, usize)> {
        let mut rng = Rng::with_seed(seed);
        let one = |at: usize| match (at, rng.u8(0..20)) {
            // At least one round of each scenario, even if there are only a few rounds.
            (0, _) => (Scenario::Cancels, self.tasks_at_once),
            (1, _) => (Scenario::Kills, 0),
            (2, _) => (Scenario::ClaudeExit, 0),
            (3, _) => (Scenario::Windows, FEW_OPERATIONS),
            (4, _) => (Scenario::Worktrees, 0),
            (_, 0..7) => (Scenario::Cancels, self.tasks_at_once),
            (_, 7..14) => (Scenario::Kills, 0),
            (_, 14..16) => (Scenario::Worktrees, 0),
            (_, 16..19) => (Scenario::ClaudeExit, 0),
            (_, _) => (Scenario::Windows, FEW_OPERATIONS),
        };
        (0..self.rounds).map(one).collect()
    }
}
