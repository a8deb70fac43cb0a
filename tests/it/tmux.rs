//! A real terminal, through tmux.

use std::process::{Command, Output};

use connector_testing::eventually;

use crate::world::{ANSWER_TIMEOUT, World};

/// A terminal in which a shell runs, in the project of a world. It is closed when this value is dropped.
pub(crate) struct Terminal {
    socket: tempfile::TempDir,
}

impl Terminal {
    /// A terminal of 80 columns and 24 rows.
    pub(crate) fn new(world: &World) -> Self {
        // A socket's path must be short.
        let socket = tempfile::tempdir().expect("a temporary directory can be made");
        let terminal = Self { socket };
        let program = world.command(&[]);
        let mut shell = vec!["env".to_owned(), "-i".to_owned()];
        for (name, value) in program.get_envs() {
            let value = value.unwrap_or_default().to_str().expect("it is text");
            let own = std::path::Path::new(env!("CARGO_BIN_EXE_codex-connector")).parent().expect("it has a parent");
            let own = if name == "PATH" { format!("{}:", own.display()) } else { String::new() };
            shell.push(format!("{}={own}{value}", name.display()));
        }
        shell.extend(["LANG=C.UTF-8", "TERM=screen-256color", "PS1=$ ", "sh"].map(str::to_owned));
        let project = world.project.path().to_str().expect("it is text").to_owned();
        let mut start = vec!["new-session", "-d", "-x", "80", "-y", "24", "-c", &project];
        start.extend(shell.iter().map(String::as_str));
        terminal.tmux(&start);
        terminal.wait_for("$");
        terminal
    }

    /// Types this line and presses Enter.
    pub(crate) fn enter(&self, line: &str) {
        self.tmux(&["send-keys", "-l", line]);
        self.tmux(&["send-keys", "Enter"]);
    }

    /// Presses a key, which has the name that tmux gives it.
    pub(crate) fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// Types a text.
    pub(crate) fn type_text(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]);
    }

    pub(crate) fn press_ctrl_c(&self) {
        self.tmux(&["send-keys", "C-c"]);
    }

    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        self.tmux(&["resize-window", "-x", &columns.to_string(), "-y", &rows.to_string()]);
    }

    /// Closes the window, as a person does.
    pub(crate) fn close(&self) {
        self.tmux(&["kill-session"]);
    }

    /// The visible text.
    pub(crate) fn screen(&self) -> String {
        let shown = self.tmux(&["capture-pane", "-p"]);
        String::from_utf8(shown.stdout).expect("a screen is text")
    }

    /// Waits until the screen contains these words, and returns it.
    pub(crate) fn wait_for(&self, words: &str) -> String {
        self.wait_until(words, |screen| screen.contains(words))
    }

    /// Waits for a screen that satisfies the condition, and returns it.
    pub(crate) fn wait_until(&self, what: &str, condition: impl Fn(&str) -> bool) -> String {
        let mut last = String::new();
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            eventually(what, ANSWER_TIMEOUT, || {
                last = self.screen();
                condition(&last).then(|| last.clone())
            })
        }));
        found.unwrap_or_else(|_| panic!("{what}: not on the screen:\n{last}"))
    }

    fn tmux(&self, args: &[&str]) -> Output {
        let socket = self.socket.path().join("tmux");
        let mut tmux = Command::new("tmux");
        tmux.arg("-u").arg("-S").arg(socket).args(["-f", "/dev/null"]).args(args).env("LANG", "C.UTF-8");
        let output = tmux.output().expect("tmux is installed (`apt-get install tmux`)");
        assert!(output.status.success(), "tmux {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let socket = self.socket.path().join("tmux");
        let _ = Command::new("tmux").arg("-S").arg(socket).arg("kill-server").output();
    }
}
