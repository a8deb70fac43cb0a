//! How much is measured: everything, or only as much as shows whether costs grow.

/// The extent of the parts that look for growth.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    /// Numbers of tasks that this version left.
    pub(crate) own: &'static [u32],
    /// Numbers of tasks that the original program left.
    pub(crate) original: &'static [u32],
    /// Rounds of each.
    pub(crate) rounds: usize,
    /// Rounds of bursts.
    pub(crate) bursts: usize,
    /// Numbers of files in the repositories of tasks with snapshots.
    pub(crate) files: &'static [u32],
    /// Rounds of tasks with snapshots.
    pub(crate) workspace_rounds: usize,
    /// By how much a target about snapshots may be missed, as a factor.
    pub(crate) slack: f64,
    /// Maximum growth, as a ratio.
    pub(crate) most: f64,
    /// Times below this, in milliseconds, count as this much before something is divided by them.
    pub(crate) floor: f64,
    /// Whether times have targets by themselves. Those depend on the machine.
    pub(crate) has_absolute_targets: bool,
}

impl Scale {
    /// For the documentation.
    pub(crate) const FULL: Self = Self {
        own: &[0, 1_000, 10_000, 100_000],
        original: &[0, 50_000],
        rounds: 21,
        bursts: 7,
        files: &[10, 1_000, 10_000, 50_000],
        workspace_rounds: 15,
        slack: 1.0,
        most: 1.5,
        floor: 0.0,
        has_absolute_targets: true,
    };

    /// For `--check`, on a machine of any speed.
    pub(crate) const CHECK: Self = Self {
        own: &[0, 4_000],
        original: &[0, 4_000],
        rounds: 7,
        bursts: 3,
        files: &[1_000],
        workspace_rounds: 7,
        slack: 4.0,
        most: 3.0,
        floor: 1.0,
        has_absolute_targets: false,
    };
}
