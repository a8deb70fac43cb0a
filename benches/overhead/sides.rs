//! Two builds of the program that are measured in turn.

use std::{io, path::PathBuf};

use crate::samples::Samples;

/// One build of the program.
#[derive(Debug, Clone)]
pub(crate) struct Build {
    pub(crate) program: PathBuf,
}

/// A value for this build, and one for the build that it is compared with, if there is one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sides<T> {
    pub(crate) this: T,
    pub(crate) baseline: Option<T>,
}

/// The builds that are measured.
pub(crate) type Builds = Sides<Build>;

impl<T> Sides<T> {
    /// A value for this build alone.
    pub(crate) fn alone(this: T) -> Self {
        Self { this, baseline: None }
    }

    /// Runs the same for both builds, one strictly after the other. The one that comes first alternates between rounds.
    pub(crate) fn in_turn<R>(
        &mut self,
        round: usize,
        mut run: impl FnMut(&mut T) -> io::Result<R>,
    ) -> io::Result<Sides<R>> {
        let Self { this, baseline } = self;
        match baseline {
            None => Ok(Sides::alone(run(this)?)),
            Some(baseline) if round.is_multiple_of(2) => {
                let this = run(this)?;
                Ok(Sides { this, baseline: Some(run(baseline)?) })
            }
            Some(baseline) => {
                let baseline = Some(run(baseline)?);
                Ok(Sides { this: run(this)?, baseline })
            }
        }
    }

    pub(crate) fn map<R>(&self, change: impl Fn(&T) -> R) -> Sides<R> {
        Sides { this: change(&self.this), baseline: self.baseline.as_ref().map(change) }
    }
}

impl Sides<Samples> {
    /// Adds one value for each build.
    pub(crate) fn push(&mut self, values: &Sides<f64>) {
        self.this.push(values.this);
        if let Some(value) = values.baseline {
            self.baseline.get_or_insert_default().push(value);
        }
    }

    /// This build divided by the other one: the median over the rounds, in each of which both were measured.
    pub(crate) fn ratio(&self) -> Option<f64> {
        Some(self.this.ratio_to(self.baseline.as_ref()?, 0.0).median())
    }
}

/// Adds several values for each build.
pub(crate) fn push_all<const N: usize>(numbers: &mut [Sides<Samples>; N], values: &Sides<[f64; N]>) {
    for (index, numbers) in numbers.iter_mut().enumerate() {
        numbers.push(&values.map(|values| values[index]));
    }
}

/// One list of values for each number.
pub(crate) fn numbers<const N: usize>() -> [Sides<Samples>; N] {
    std::array::from_fn(|_| Sides::default())
}
