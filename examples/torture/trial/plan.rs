//! What an agent is going to do, drawn at random.

use std::{collections::BTreeSet, time::Duration};

use connector_testing::ScriptStep;
use fastrand::Rng;
use serde_json::{Value, json};

use super::world::World;

/// How long what does not end by itself lives, so that a trial that is killed leaves nothing for ever. What a round
/// waits for takes less.
const LIFETIME: f64 = 120.0;
/// The same for what forks. The fake agent allows no more.
const SWARM_LIFETIME: f64 = 60.0;

/// How an agent and its children take it that they are to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum StopBehaviour {
    /// The agent goes when it is asked to, and takes its children with it.
    Obeys,
    /// The agent goes, and its children hide.
    Hides,
    /// The agent ignores what it is asked, and its children hide.
    Stubborn,
    /// It says its piece and ends by itself, with what code.
    Ends(u8),
}

/// Whether children may clear their environment.
///
/// A process with a cleared environment that has lost its parents, and whose supervisor was killed as well, can only be
/// found through a cgroup. It need not have forked twice for that: an agent that was just asked to go, or whose pipe to
/// its supervisor breaks, leaves its children behind too.
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
    pub(crate) behaviour: StopBehaviour,
    /// The ways of hiding that its children use.
    pub(crate) hiding_methods: BTreeSet<&'static str>,
    pub(crate) timeout: Option<Duration>,
    script: AgentScript,
}

/// Whose script it is.
#[derive(Debug, Clone)]
enum AgentScript {
    /// The fake agent's.
    Fake(Vec<Value>),
    /// The scripted model's.
    Model(String),
}

impl Plan {
    /// An agent that does not end by itself.
    pub(crate) fn endless(
        rng: &mut Rng,
        world: &World,
        number: usize,
        behaviour: StopBehaviour,
        clear: EnvClearing,
    ) -> Plan {
        let (mut hiding_methods, mut steps) = (BTreeSet::new(), Vec::new());
        let children = match behaviour {
            StopBehaviour::Obeys | StopBehaviour::Ends(_) => rng.usize(0..=2),
            StopBehaviour::Hides | StopBehaviour::Stubborn => rng.usize(1..=3),
        };
        for nth in 0..children {
            let child = match behaviour {
                StopBehaviour::Obeys | StopBehaviour::Ends(_) => plain_child(world, number, nth),
                StopBehaviour::Hides | StopBehaviour::Stubborn => {
                    let (child, its_ways) = hiding_child(rng, plain_child(world, number, nth), clear);
                    hiding_methods.extend(its_ways);
                    child
                }
            };
            steps.push(json!({"child": child}));
        }
        if behaviour == StopBehaviour::Stubborn {
            let ignored = if rng.bool() { json!(["INT", "TERM", "HUP"]) } else { json!(["INT"]) };
            steps.push(json!({"ignore": ignored}));
        }
        steps.extend([json!({"say": "ready"}), json!({"sleep": LIFETIME})]);
        Plan { number, behaviour, hiding_methods, timeout: None, script: AgentScript::Fake(steps) }
    }

    /// The same, from when the agent is in its control group: whoever hides before that, and whose supervisor is killed, is
    /// promised to nobody.
    pub(crate) fn settled(mut self) -> Plan {
        if let AgentScript::Fake(steps) = &mut self.script {
            steps.insert(0, json!({"await_cgroup": 5}));
        }
        self
    }

    /// An agent that says its piece after a moment, and ends with `code`.
    pub(crate) fn short(rng: &mut Rng, number: usize, most: Duration, code: u8) -> Plan {
        let pause = most.as_secs_f64() * rng.f64();
        let mut steps = vec![json!({"say": "ready"}), json!({"sleep": pause}), json!({"say": final_answer(number)})];
        if code != 0 {
            steps.push(json!({"exit": code}));
        }
        Plan {
            number,
            behaviour: StopBehaviour::Ends(code),
            hiding_methods: BTreeSet::new(),
            timeout: None,
            script: AgentScript::Fake(steps),
        }
    }

    /// A real agent, whose model plays these steps and then hangs.
    pub(crate) fn scripted(number: usize, steps: &[ScriptStep]) -> Plan {
        let steps = serde_json::to_string(steps).expect("steps have only string keys");
        Plan {
            number,
            behaviour: StopBehaviour::Obeys,
            hiding_methods: BTreeSet::new(),
            timeout: None,
            script: AgentScript::Model(steps),
        }
    }

    /// What stands in the record as its task.
    pub(crate) fn prompt(&self) -> String {
        match &self.script {
            AgentScript::Fake(steps) => format!("t{}. FAKE{}", self.number, Value::from(steps.clone())),
            AgentScript::Model(steps) => format!("t{}. SCRIPT{steps}", self.number),
        }
    }

    /// Whether a prompt is this plan's.
    pub(crate) fn wrote(&self, prompt: &str) -> bool {
        prompt.starts_with(&format!("t{}. ", self.number))
    }
}

/// What a short agent answers.
pub(crate) fn final_answer(number: usize) -> String {
    format!("these are the last words of t{number}.")
}

fn plain_child(world: &World, number: usize, nth: usize) -> Value {
    let mark = world.mark(number);
    json!({"seconds": LIFETIME, "pid_file": format!("{mark}{nth}.pid"), "mark": format!("{mark}{nth}.mark")})
}

/// Makes a child hide, and says in which ways it does.
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
