//! The settings of all layers, without the invalid ones.

use std::collections::BTreeSet;

use super::{
    backends,
    check::Checker,
    defaults,
    layers::{self, RawSetting},
    problem::ConfigProblem,
    setting::Setting,
};
use crate::registry::Registry;

/// The valid settings, which are not merged yet.
pub(super) struct ValidSettings {
    /// Layer by layer, so a setting overrides earlier ones with the same key.
    pub(super) settings: Vec<Setting>,
    /// The names of the backends that lost a setting.
    pub(super) faulty: BTreeSet<String>,
    /// The rules that the settings were checked against.
    pub(super) checker: Checker,
    /// Environment variables that have the prefix of the settings but are not settings.
    pub(super) foreign_variables: Vec<String>,
}

impl ValidSettings {
    /// The defaults, then `written`, then `raw`. Adds the problems of those that are left out.
    pub(super) fn of(
        written: Vec<Setting>,
        mut raw: Vec<RawSetting>,
        registry: &Registry,
        problems: &mut Vec<ConfigProblem>,
    ) -> Self {
        let mut settings = defaults::settings();
        settings.extend(written);
        let shape = backends::resolve_kinds(&mut settings, &raw, registry);
        let foreign_variables = layers::remove_foreign_variables(&mut raw, &shape);
        settings.extend(raw.into_iter().flat_map(|raw| raw.parse(&shape)));
        let checker = Checker::new(shape, defaults::figment());
        let faulty = checker.remove_invalid(&mut settings, problems);
        Self { settings, faulty, checker, foreign_variables }
    }
}
