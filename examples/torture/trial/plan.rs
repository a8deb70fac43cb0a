//! The random plan for one agent.

use std::{collections::BTreeSet, time::Duration};

use connector_testing::ScriptStep;
use fastrand::Rng;
use serde_json::{Value, json};

use super::world::World;

/// Lifetime of processes that do not end by themselves, so that a killed trial leaves nothing behind forever. A round
/// never waits this long.
const LIFETIME: f64 = 120.0;
/// The same for processes that fork. The fake agent allows no more.
const SWARM_LIFETIME: f64 = 60.0;

/// How an agent and its children react when they are stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum StopBehaviour {
    /// The agent exits when interrupted, and its children exit with it.
    Obeys,
    /// The agent exits, and its children hide.
    Hides,
    /// The agent ignores the interrupt, and its children hide.
    Stubborn,
    /// It prints its answer and exits by itself with this code.
    Ends(u8),
}

/// Whether children may clear their environment.
///
/// If such a process has lost its parents and its supervisor was killed too, it can be found only through a cgroup. It
/// does not even need a double fork to lose its parents: an agent that was just interrupted, or whose pipe to its
/// supervisor breaks, leaves its children behind too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EnvClearing {
    Allowed,
    Forbidden,
}

/// One task.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Its number in the round.
    pub(crate) number: usize,
    pub(crate) behavior: StopBehaviour,
    /// The ways in which its children hide.
    pub(crate) hiding_methods: BTreeSet<&'static str>,
    pub(crate) timeout: Option<Duration>,
    script: AgentScript,
}

/// The interpreter of the script.
#[derive(Debug, Clone)]
enum AgentScript {
    /// A script for the fake agent.
    Fake(Vec<Value>),
    /// A script for the scripted model.
    Model(String),
}

impl Plan {
    /// An agent that does not exit by itself.
    pub(crate) fn endless(
        rng: &mut Rng,
        world: &World,
        number: usize,
        behavior: StopBehaviour,
        clear: EnvClearing,
    ) -> Plan {
        let (mut hiding_methods, mut steps) = (BTreeSet::new(), Vec::new());
        let children = match behavior {
            StopBehaviour::Obeys | StopBehaviour::Ends(_) => rng.usize(0..=2),
            StopBehaviour::Hides | StopBehaviour::Stubborn => rng.usize(1..=3),
        };
        for nth in 0..children {
            let child = match behavior {
                StopBehaviour::Obeys | StopBehaviour::Ends(_) => plain_child(world, number, nth),
                StopBehaviour::Hides | StopBehaviour::Stubborn => {
                    let (child, its_ways) = hiding_child(rng, plain_child(world, number, nth), clear);
                    hiding_methods.extend(its_ways);
                    child
                }
            };
            steps.push(json!({"child": child}));
        }
        if behavior == StopBehaviour::Stubborn {
            let ignored = if rng.bool() { json!(["INT", "TERM", "HUP"]) } else { json!(["INT"]) };
            steps.push(json!({"ignore": ignored}));
        }
        steps.extend([json!({"say": "ready"}), json!({"sleep": LIFETIME})]);
        Plan { number, behavior, hiding_methods, timeout: None, script: AgentScript::Fake(steps) }
    }

    /// The same, but the agent first waits until it is in its cgroup. We do not promise to find a process that hides
    /// earlier and whose supervisor is killed.
    pub(crate) fn settled(mut self) -> Plan {
        if let AgentScript::Fake(steps) = &mut self.script {
            steps.insert(0, json!({"await_cgroup": 5}));
        }
        self
    }

    /// An agent that prints its answer after a moment, and exits with `code`.
    pub(crate) fn short(rng: &mut Rng, number: usize, max: Duration, code: u8) -> Plan {
        let pause = max.as_secs_f64() * rng.f64();
        let mut steps = vec![json!({"say": "ready"}), json!({"sleep": pause}), json!({"say": final_answer(number)})];
        if code != 0 {
            steps.push(json!({"exit": code}));
        }
        Plan {
            number,
            behavior: StopBehaviour::Ends(code),
            hiding_methods: BTreeSet::new(),
            timeout: None,
            script: AgentScript::Fake(steps),
        }
    }

    /// An agent that writes a file at a random moment, and exits after another.
    pub(crate) fn writer(rng: &mut Rng, number: usize, max: Duration) -> Plan {
        let mut pause = || json!({"sleep": max.as_secs_f64() * rng.f64() / 2.0});
        let write = json!({"write": {"path": Self::written_file(number), "text": Self::written_text(number)}});
        let steps = vec![pause(), write, json!({"say": "written"}), pause(), json!({"say": final_answer(number)})];
        Plan {
            number,
            behavior: StopBehaviour::Ends(0),
            hiding_methods: BTreeSet::new(),
            timeout: None,
            script: AgentScript::Fake(steps),
        }
    }

    /// The name of the file that the agent of [`writer`](Self::writer) writes.
    pub(crate) fn written_file(number: usize) -> String {
        format!("work-{number}.txt")
    }

    /// The content of that file.
    pub(crate) fn written_text(number: usize) -> String {
        format!("the work of t{number}\n")
    }

    /// A real agent whose model plays these steps and then hangs.
    pub(crate) fn scripted(number: usize, steps: &[ScriptStep]) -> Plan {
        let steps = serde_json::to_string(steps).expect("steps have only string keys");
        Plan {
            number,
            behavior: StopBehaviour::Obeys,
            hiding_methods: BTreeSet::new(),
            timeout: None,
            script: AgentScript::Model(steps),
        }
    }

    /// The task's prompt, as in the record.
    pub(crate) fn prompt(&self) -> String {
        match &self.script {
            AgentScript::Fake(steps) => format!("t{}. FAKE{}", self.number, Value::from(steps.clone())),
            AgentScript::Model(steps) => format!("t{}. SCRIPT{steps}", self.number),
        }
    }

    /// Whether a prompt belongs to this plan.
    pub(crate) fn wrote(&self, prompt: &str) -> bool {
        prompt.starts_with(&format!("t{}. ", self.number))
    }
}

/// A short agent's answer.
pub(crate) fn final_answer(number: usize) -> String {
    format!("these are the last words of t{number}.")
}

fn plain_child(world: &World, number: usize, nth: usize) -> Value {
    let mark = world.mark(number);
    json!({"seconds": LIFETIME, "pid_file": format!("{mark}{nth}.pid"), "mark": format!("{mark}{nth}.mark")})
}

/// Makes a child hide. Returns the child, and the ways in which it hides.
fn hiding_child(rng: &mut Rng, mut child: Value, clear: EnvClearing) -> (Value, BTreeSet<&'static str>) {
    let mut hiding_methods: BTreeSet<&'static str> = BTreeSet::new();
    let kind = rng.u8(0..20);
    if kind < 3 && clear == EnvClearing::Allowed {
        hiding_methods.insert("fork_chain");
    } else if kind < 5 {
        hiding_methods.insert("fork_storm");
        child["count"] = json!(rng.u64(20..=200));
    } else if rng.u8(0..4) == 0 {
        hiding_methods.insert("stopped");
    }
    let chances: [(&'static str, f64); 5] =
        [("setsid", 0.5), ("double_fork", 0.4), ("ignore_int", 0.5), ("ignore_term", 0.5), ("hold_pipe", 0.3)];
    hiding_methods.extend(chances.into_iter().filter(|(_, chance)| rng.f64() < *chance).map(|(way, _)| way));
    if !hiding_methods.contains("setsid") && rng.bool() {
        hiding_methods.insert("own_group");
    }
    if rng.u8(0..3) == 0 && clear == EnvClearing::Allowed {
        hiding_methods.insert("clear_env");
    }
    for way in &hiding_methods {
        child[*way] = json!(true);
    }
    if hiding_methods.contains("fork_chain") || hiding_methods.contains("fork_storm") {
        child["seconds"] = json!(SWARM_LIFETIME);
    }
    (child, hiding_methods)
}
