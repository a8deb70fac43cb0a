//! What the command line says, and the rounds that follow from it.

use clap::{Parser, ValueEnum};
use fastrand::Rng;

/// Cancels, kills and races without end, and looks afterwards whether anything was left, lost or untrue.
#[derive(Debug, Parser)]
#[command(name = "torture")]
pub(crate) struct TortureOptions {
    /// Rounds of a mixture of all scenarios
    #[arg(long, default_value_t = 60, value_name = "N")]
    rounds: usize,
    /// What the random choices come from; without it they differ each time
    #[arg(long, value_name = "SEED")]
    pub(crate) seed: Option<u64>,
    /// Play only the round of this number, as it comes with these arguments and this seed
    #[arg(long, value_name = "N")]
    pub(crate) round: Option<usize>,
    /// Only this scenario; may be repeated
    #[arg(long, value_enum, value_name = "NAME")]
    scenario: Vec<Scenario>,
    /// Only as many cancels and timeouts
    #[arg(long, value_name = "N")]
    cancels: Option<usize>,
    /// Only as many rounds of kills
    #[arg(long, value_name = "N")]
    kills: Option<usize>,
    /// Only windows, each with as many operations
    #[arg(long, value_name = "N")]
    operations: Option<usize>,
    /// Only as many of Claude Code's exits
    #[arg(long, value_name = "N")]
    exits: Option<usize>,
    /// Add a few cancels of real Codex, which npm installs into target/ the first time
    #[arg(long)]
    real_codex: bool,
    /// Only as many cancels of real Codex
    #[arg(long, value_name = "N")]
    codex_cancels: Option<usize>,
    /// Servers on one home
    #[arg(long, default_value_t = 8, value_name = "N")]
    pub(crate) windows: usize,
    /// Tasks that are cancelled at the same time
    #[arg(long, default_value_t = 8, value_name = "N")]
    pub(crate) tasks_at_once: usize,
    /// Rounds that are played at the same time, each in a home of its own
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) rounds_at_once: usize,
    /// Milliseconds from asking an agent to SIGTERM, and from there to SIGKILL
    #[arg(long, default_value_t = 300, value_name = "MS")]
    pub(crate) grace: u64,
    /// Times over their limits are violations
    #[arg(long)]
    pub(crate) strict_times: bool,
    /// What the limits of times are multiplied with, on a slow machine
    #[arg(long, default_value_t = 1.0, value_name = "FACTOR")]
    pub(crate) time_factor: f64,
    /// Keep the data directories of a violation-free run too
    #[arg(long)]
    pub(crate) keep: bool,
}

/// What a round is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// Tasks that are cancelled or run out of time
    Cancels,
    /// SIGKILL for servers, supervisors and agents
    Kills,
    /// Many servers on one home
    Windows,
    /// The end of a server as Claude Code brings it about
    ClaudeExit,
    /// Real Codex, cancelled (`--codex-cancels`)
    #[value(skip)]
    RealCodex,
}

/// One round to be played.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Job {
    pub(crate) scenario: Scenario,
    pub(crate) number: usize,
    /// Tasks, or operations of each window.
    pub(crate) count: usize,
}

/// Operations of a window in a mixture, and when only windows are asked for.
const FEW_OPERATIONS: usize = 12;
const MANY_OPERATIONS: usize = 60;
/// Cancels of real Codex that are added to anything else.
const FEW_CODEX_CANCELS: usize = 5;

impl Scenario {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Scenario::Cancels => "cancels",
            Scenario::Kills => "kills",
            Scenario::Windows => "windows",
            Scenario::ClaudeExit => "claude-exit",
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
        if jobs.is_empty() && self.codex_cancels.is_none() {
            jobs = self.mixture(seed);
        }
        if self.wants_codex() {
            jobs.extend(vec![(Scenario::RealCodex, 0); self.codex_cancels.unwrap_or(FEW_CODEX_CANCELS)]);
        }
        jobs.into_iter().enumerate().map(|(number, (scenario, count))| Job { scenario, number, count }).collect()
    }

    /// Whether Codex has to be there.
    pub(crate) fn wants_codex(&self) -> bool {
        self.real_codex || self.codex_cancels.is_some()
    }

    fn mixture(&self, seed: u64) -> Vec<(Scenario, usize)> {
        let mut rng = Rng::with_seed(seed);
        let one = |at: usize| match (at, rng.u8(0..20)) {
            // Of each at least one, should there be so few rounds.
            (0, _) => (Scenario::Cancels, self.tasks_at_once),
            (1, _) => (Scenario::Kills, 0),
            (2, _) => (Scenario::ClaudeExit, 0),
            (3, _) => (Scenario::Windows, FEW_OPERATIONS),
            (_, 0..7) => (Scenario::Cancels, self.tasks_at_once),
            (_, 7..16) => (Scenario::Kills, 0),
            (_, 16..19) => (Scenario::ClaudeExit, 0),
            (_, _) => (Scenario::Windows, FEW_OPERATIONS),
        };
        (0..self.rounds).map(one).collect()
    }
}
