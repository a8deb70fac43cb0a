"""Runs a program in a real terminal, through tmux, so that a script can type into it and read its screen."""

import shlex
import subprocess
import time
import uuid


class Terminal:
    """One program in a new terminal. Its tmux server serves no other terminal, and ends with it."""

    def __init__(self, command, directory, environment, columns=120, rows=40):
        self.socket = f"codex-connector-{uuid.uuid4().hex[:12]}"
        # An empty environment, except for these variables and those that tmux sets.
        words = ["env", "-u", "TMUX", "-u", "TMUX_PANE", *(f"{name}={value}" for name, value in environment.items()), *command]
        line = "exec " + " ".join(shlex.quote(str(word)) for word in words)
        size = ["-x", str(columns), "-y", str(rows)]
        self.tmux("-f", "/dev/null", "new-session", "-d", "-s", "main", *size, "-c", str(directory), line,
                  environment={"PATH": environment["PATH"], "LANG": "C.UTF-8", "HOME": environment["HOME"]})
        self.pid = int(self.tmux("display-message", "-p", "-t", "main", "#{pane_pid}"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        # Fails if the program, and with it the tmux server, has exited already.
        subprocess.run(["tmux", "-L", self.socket, "kill-server"], capture_output=True)

    def tmux(self, *arguments, environment=None):
        done = subprocess.run(["tmux", "-L", self.socket, *arguments], capture_output=True, text=True, timeout=30,
                              env=environment)
        if done.returncode != 0:
            raise OSError(f"tmux {arguments[0]}: {done.stderr.strip()}")
        return done.stdout

    def is_open(self):
        """Whether the program is still running."""
        return subprocess.run(["tmux", "-L", self.socket, "has-session"], capture_output=True).returncode == 0

    def screen(self):
        """The text on the screen; empty after the program has exited."""
        try:
            return self.tmux("capture-pane", "-p", "-t", "main")
        except OSError:
            return ""

    def keys(self, *names):
        """Presses keys, such as `Enter` or `Escape`."""
        for name in names:
            self.tmux("send-keys", "-t", "main", name)

    def enter(self, text):
        """Types a line, and presses Enter once it is on the screen."""
        self.tmux("send-keys", "-t", "main", "-l", text)
        self.wait_for(f"`{text}` on the screen", lambda screen: text in screen)
        self.keys("Enter")

    def wait_for(self, what, condition, timeout=60):
        """Waits until `condition` holds for the text on the screen, and returns the text."""
        end = time.monotonic() + timeout
        while True:
            screen = self.screen()
            if condition(screen):
                return screen
            if time.monotonic() > end:
                raise TimeoutError(f"timed out waiting for {what}; the screen:\n{screen}")
            time.sleep(0.1)
