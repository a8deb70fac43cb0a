//! Each end of a task is reported once, whichever of the ways in `notifications` is used: by several processes at the
//! same time, and by `notify --follow`.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
};

use codex_connector::{
    store::{Claim, Upkeep},
    task::{IndexLimits, TaskId, TaskRecord},
};
use connector_testing::{McpServer, eventually};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::{
    cli::fake,
    world::{ANSWER_TIMEOUT, World, field, start},
};

/// A session in which the commands here run.
const SESSION: &str = "0a1b-session";

const OTHER: &str = "0a1b-other";

/// A running `notify --follow --here`.
struct Follower {
    process: Child,
    lines: Receiver<String>,
}

impl Follower {
    fn start(world: &World, session: &str) -> Self {
        Self::spawn(in_session(world, &["notify", "--follow", "--here"], session))
    }

    fn spawn(mut command: Command) -> Self {
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("the program runs");
        let stdout = BufReader::new(process.stdout.take().expect("stdout is piped"));
        let (sender, lines) = channel();
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { process, lines }
    }

    /// Waits until it has searched for ends, so that it is woken by later ones.
    fn once_ready(self, world: &World, session: &str) -> Self {
        eventually("its start", ANSWER_TIMEOUT, || {
            let dir = world.data_dir();
            (dir.join("sessions").join(session).exists() && dir.join("unreported.json").exists()).then_some(())
        });
        self
    }

    fn next(&self) -> String {
        self.lines.recv_timeout(ANSWER_TIMEOUT).expect("it prints a line")
    }

    fn stop(mut self) -> Vec<String> {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it is our child");
        self.lines.iter().collect()
    }

    fn wait_for_exit(&mut self) {
        eventually("the end of notify", ANSWER_TIMEOUT, || self.process.try_wait().expect("it is our child"));
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn in_session(world: &World, args: &[&str], session: &str) -> Command {
    let mut command = world.command(args);
    command.env("CLAUDE_CODE_SESSION_ID", session).env("CLAUDE_PROJECT_DIR", world.project.path());
    command
}

fn hook(world: &World, session: &str) -> String {
    let output = in_session(world, &["notify", "--here"], session).output().expect("the program runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn upkeep(world: &World) -> Upkeep {
    Upkeep::open(&world.data_dir(), &world.data_dir().join("logs")).expect("the data directory is ours")
}

/// Ends a task that `session` started in the background in the world's project.
fn end(world: &World, session: &str) -> String {
    let now = chrono::Utc::now();
    let project = world.project.path().canonicalize().expect("it exists");
    let record: TaskRecord = serde_json::from_value(json!({
        "format": 1, "id": TaskId::random(), "status": "completed", "startedAt": now, "completedAt": now,
        "task": "fix the parser", "backend": "codex", "durationFormatted": "2m 30s",
        "workingDirectory": project, "repository": project.join(".git"),
        "submitter": {"by": "async", "session": session}
    }))
    .expect("these fields are enough");
    let Ok(Claim::Claimed(task)) = upkeep(world).claim(&record.id) else { panic!("a new ID is free") };
    task.write_record(&record).expect("it is writable");
    task.release().clean_up(&record, IndexLimits { entries: 200, text: 200 }).expect("it is writable");
    record.id.to_string()
}

fn server_in(world: &World, session: &str) -> McpServer {
    McpServer::spawn(in_session(world, &[], session))
}

/// The state of a handle, once its task has ended.
fn polled_to_the_end(server: &mut McpServer, id: &str) -> Value {
    eventually("the end of the task", ANSWER_TIMEOUT, || {
        let task = server.request("tasks/get", json!({"taskId": id}));
        (task["status"] != "working").then_some(task)
    })
}

#[test]
fn one_line_is_printed_for_each_end_and_the_hook_does_not_repeat_it() {
    let world = World::with_fake_agent();
    let follower = Follower::start(&world, SESSION).once_ready(&world, SESSION);
    for _ in 0..3 {
        let id = end(&world, SESSION);
        let line = format!("codex task {id} completed after 2m 30s: fix the parser (result: codex_status {id})");
        assert_eq!(follower.next(), line);
        assert_eq!(hook(&world, SESSION), "");
    }
    assert_eq!(follower.stop(), [""; 0]);
}

#[test]
fn the_next_session_learns_of_ends_that_its_predecessor_missed() {
    let world = World::with_fake_agent();
    let evening = Follower::start(&world, SESSION).once_ready(&world, SESSION);
    evening.stop();
    let missed: BTreeSet<_> = (0..12).map(|_| end(&world, SESSION)).collect();
    let morning = Follower::start(&world, OTHER);
    let lines: Vec<_> = (0..11).map(|_| morning.next()).collect();
    let listed: BTreeSet<_> = lines[..10].iter().filter_map(|line| line.split(' ').nth(2)).map(str::to_owned).collect();
    assert!(listed.len() == 10 && listed.is_subset(&missed), "{lines:?}");
    assert_eq!(lines[10], "2 more codex-connector tasks have finished (list: codex_tasks)");
    assert_eq!((hook(&world, OTHER), hook(&world, SESSION)), (String::new(), String::new()));
    let later = end(&world, SESSION);
    assert!(morning.next().contains(&later));
}

#[test]
fn the_hook_of_a_new_session_lists_ten_missed_ends_and_counts_the_rest() {
    let world = World::with_fake_agent();
    (0..12).for_each(|_| drop(end(&world, SESSION)));
    let text = hook(&world, OTHER);
    assert!(text.matches("\n- ").count() == 11 && text.contains("- and 2 more: call `codex_tasks`"), "{text}");
    assert_eq!(hook(&world, OTHER), "");
}

#[test]
fn a_session_that_runs_learns_of_its_own_tasks_only() {
    let world = World::with_fake_agent();
    let own = Follower::start(&world, SESSION).once_ready(&world, SESSION);
    let other = Follower::start(&world, OTHER).once_ready(&world, OTHER);
    let ends: Vec<_> = (0..5).map(|_| (end(&world, SESSION), end(&world, OTHER))).collect();
    for (of_own, of_other) in ends {
        assert!(own.next().contains(&of_own));
        assert!(other.next().contains(&of_other));
    }
    assert_eq!((own.stop(), other.stop()), (vec![], vec![]));
}

#[test]
fn a_hundred_ends_are_reported_once_by_four_followers_and_a_hook() {
    let world = World::with_fake_agent();
    let sessions = ["f1", "f2", "f3", "f4"];
    let followers = sessions.map(|session| Follower::start(&world, session).once_ready(&world, session));
    let ids: BTreeSet<_> = thread::scope(|scope| {
        let threads: Vec<_> =
            (0..4).map(|_| scope.spawn(|| (0..25).map(|_| end(&world, SESSION)).collect::<Vec<_>>())).collect();
        (0..5).for_each(|_| drop(hook(&world, "f1")));
        threads.into_iter().flat_map(|thread| thread.join().expect("it does not panic")).collect()
    });
    let reports = world.data_dir().join("reports");
    let is_reported = |id: &String| fs::metadata(reports.join(id)).is_ok_and(|file| file.len() > 0);
    eventually("all reports", ANSWER_TIMEOUT, || ids.iter().all(is_reported).then_some(()));
    let by = |id: &String| fs::read_to_string(reports.join(id)).unwrap_or_default();
    let by_monitor: BTreeSet<_> = ids.iter().filter(|id| by(id).contains(r#""by":"monitor""#)).cloned().collect();
    let lines: Vec<_> = followers.into_iter().flat_map(Follower::stop).collect();
    let more: usize = lines.iter().filter_map(|line| line.split_once(" more ")?.0.parse::<usize>().ok()).sum();
    let listed: Vec<_> = lines.iter().filter(|line| line.starts_with("codex task ")).collect();
    assert_eq!(listed.len() + more, by_monitor.len());
    let distinct: BTreeSet<_> = listed.iter().filter_map(|line| line.split(' ').nth(2)).collect();
    assert_eq!(distinct.len(), listed.len(), "an end was reported twice");
}

#[test]
fn an_answer_is_the_report_and_neither_the_monitor_nor_the_hook_repeats_it() {
    let world = World::with_fake_agent().configure("[server]\nchannel = true\n");
    let follower = Follower::start(&world, SESSION).once_ready(&world, SESSION);
    let mut server = server_in(&world, SESSION);
    server.declare(json!({}));
    server.initialize();
    // The answer of a call that waits.
    assert!(server.call("codex_agent", world.fake(json!([{"say": "x"}])), |_| {}).text.contains("completed"));
    // The output of `wait`. With the channel, three ways compete.
    let release = world.home().join("go");
    let id = start(&mut server, world.fake(json!([{"await_file": release}, {"say": "x"}])));
    let waiting = in_session(&world, &["wait", &id], SESSION).stdout(Stdio::piped()).spawn().expect("it runs");
    let claimed = world.data_dir().join("reports").join(&id);
    eventually("the claim of wait", ANSWER_TIMEOUT, || claimed.exists().then_some(()));
    fs::write(&release, "").expect("the home is writable");
    assert!(waiting.wait_with_output().expect("it ends").status.success());
    let last = end(&world, SESSION);
    assert!(follower.next().contains(&last), "only this end was left to the monitor");
    assert_eq!(hook(&world, SESSION), "");
    let announced = server.other_messages();
    assert!(!announced.iter().any(|message| message["method"] == "notifications/claude/channel"), "{announced:?}");
    // A message of the channel competes with the monitor.
    let id = start(&mut server, world.fake(json!([{"say": "x"}])));
    let report = world.data_dir().join("reports").join(&id);
    eventually("the report", ANSWER_TIMEOUT, || fs::metadata(&report).ok().filter(|file| file.len() > 0));
    let by = fs::read_to_string(&report).expect("it exists");
    let announced = server.other_messages();
    let announced = announced.iter().filter(|message| message["method"] == "notifications/claude/channel").count();
    let lines = follower.stop();
    assert_eq!(announced + lines.len(), 1, "{by} {lines:?}");
    assert_eq!(hook(&world, SESSION), "");
}

#[test]
fn a_persons_own_work_wakes_nobody_and_is_not_reported_once_that_person_has_seen_its_end() {
    let world = World::with_fake_agent();
    let follower = Follower::start(&world, SESSION).once_ready(&world, SESSION);
    let detached = |steps: Value| {
        let mut command = world.command(&["run", "--detach", &fake(steps)]);
        let output = command.current_dir(world.project.path()).stdin(Stdio::null()).output().expect("it runs");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let shown = |args: &[&str]| {
        let mut command = world.command(args);
        command.current_dir(world.project.path()).stdin(Stdio::null()).output().expect("it runs");
    };
    for verb in ["wait", "watch"] {
        shown(&[verb, &detached(json!([{"say": "x"}]))]);
    }
    shown(&["cancel", &detached(json!([{"hang": true}]))]);
    assert_eq!(hook(&world, SESSION), "");
    let unseen = detached(json!([{"say": "x"}]));
    eventually("its end", ANSWER_TIMEOUT, || (world.record(&unseen)["status"] != "running").then_some(()));
    let last = end(&world, SESSION);
    assert!(follower.next().contains(&last), "the monitor leaves the person's task to the hook");
    eventually("the report of the hook", ANSWER_TIMEOUT, || hook(&world, SESSION).contains(&unseen).then_some(()));
    assert_eq!(follower.stop(), Vec::<String>::new());
}

#[test]
fn a_polled_handle_is_the_report() {
    let world = World::with_fake_agent();
    let mut server = server_in(&world, SESSION);
    server.declare(json!({"extensions": {"io.modelcontextprotocol/tasks": {}}}));
    server.initialize();
    let mut arguments = world.fake(json!([{"say": "x"}]));
    arguments["async"] = json!(true);
    let answer = server.request("tools/call", json!({"name": "codex_agent", "arguments": arguments}));
    let text = answer["content"][0]["text"].as_str().unwrap_or_default();
    let id = answer["taskId"].as_str().or_else(|| Some(field(text, "Task ID")?.trim_matches('`')));
    let id = id.expect("the answer names the task").to_owned();
    assert_eq!(polled_to_the_end(&mut server, &id)["status"], "completed");
    world.index();
    assert_eq!((hook(&world, SESSION), hook(&world, OTHER)), (String::new(), String::new()));
    let report = fs::read_to_string(world.data_dir().join("reports").join(&id)).expect("it was reported");
    assert!(report.contains(r#""by":"handle""#), "{report}");
}

#[test]
fn a_killed_wait_gives_its_claim_back() {
    let world = World::with_fake_agent();
    let mut server = server_in(&world, SESSION);
    server.initialize();
    let release = world.home().join("go");
    let id = start(&mut server, world.fake(json!([{"await_file": release}, {"say": "x"}])));
    let mut waiting = in_session(&world, &["wait", &id], SESSION).stdout(Stdio::piped()).spawn().expect("it runs");
    let claimed = world.data_dir().join("reports").join(&id);
    eventually("the claim of wait", ANSWER_TIMEOUT, || claimed.exists().then_some(()));
    let follower = Follower::start(&world, SESSION).once_ready(&world, SESSION);
    waiting.kill().expect("it runs");
    waiting.wait().expect("it is our child");
    fs::write(&release, "").expect("the home is writable");
    assert!(follower.next().contains(&id));
}

#[test]
fn a_follower_survives_everything_but_its_end() {
    let world = World::with_fake_agent();
    let config = world.data_dir().join("config.toml");
    let valid = fs::read_to_string(&config).expect("it exists");
    fs::write(&config, "nonsense = 1\n").expect("it is writable");
    let mut command = in_session(&world, &["notify", "--follow", "--here"], SESSION);
    command.stderr(Stdio::piped());
    let mut follower = Follower::spawn(command);
    let mut problem = String::new();
    let mut stderr = BufReader::new(follower.process.stderr.take().expect("stderr is piped"));
    stderr.read_line(&mut problem).expect("it is text");
    assert!(problem.contains("nonsense"), "{problem}");
    fs::write(&config, valid).expect("it is writable");
    let mut follower = follower.once_ready(&world, SESSION);
    let id = end(&world, SESSION);
    assert!(follower.next().contains(&id));
    // The catalog is removed, and another process rebuilds it.
    fs::remove_file(world.data_dir().join("index.sqlite")).expect("it exists");
    let id = end(&world, SESSION);
    assert!(follower.next().contains(&id));
    // The data directory is replaced.
    let aside = world.home().join("aside");
    fs::rename(world.data_dir(), &aside).expect("the home is writable");
    let id = end(&world, SESSION);
    assert!(follower.next().contains(&id));
    let pid = Pid::from_child(&follower.process);
    kill_process(pid, Signal::TERM).expect("it runs");
    follower.wait_for_exit();
}

#[test]
fn a_follower_ends_with_its_reader_and_with_its_parent() {
    let world = World::with_fake_agent();
    let mut process =
        in_session(&world, &["notify", "--follow"], SESSION).stdout(Stdio::piped()).spawn().expect("it runs");
    drop(process.stdout.take());
    eventually("its end", ANSWER_TIMEOUT, || process.try_wait().expect("it is our child"));
    // A shell that does not wait for its child: the reader stays, and the parent ends.
    let program = in_session(&world, &[], SESSION).get_program().to_owned();
    let mut shell = in_session(&world, &[], SESSION);
    let environment: Vec<_> =
        shell.get_envs().map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned))).collect();
    shell = Command::new("sh");
    shell.args(["-c", "\"$0\" notify --follow & echo started; read line"]).arg(program).env_clear();
    shell.envs(environment.into_iter().filter_map(|(name, value)| Some((name, value?))));
    let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("there is a shell");
    let present = world.data_dir().join("sessions").join(SESSION);
    eventually("its start", ANSWER_TIMEOUT, || present.exists().then_some(()));
    drop(shell.stdin.take());
    shell.wait().expect("it is our child");
    // Its output is closed once it has ended.
    let mut stdout = BufReader::new(shell.stdout.take().expect("stdout is piped"));
    let (sender, ended) = channel();
    thread::spawn(move || {
        let mut text = String::new();
        let _ = std::io::Read::read_to_string(&mut stdout, &mut text);
        sender.send(text)
    });
    assert_eq!(ended.recv_timeout(ANSWER_TIMEOUT), Ok("started\n".to_owned()));
}
