"""Runs commands in a pseudo-terminal, and keeps every state of the screen with the time at which it appeared.

`pyte` interprets the output, so colors, cursor movement and redrawn lines appear in the recording as they do on a screen.
"""

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time

import pyte

# Longest pause between two changes in the recording, in seconds; longer ones are shortened to this.
MAX_PAUSE = 1.2
# Time limit for one command, in seconds.
TIME_LIMIT = 60
# A line without its end is held back for this long, because a path in it may still be incomplete.
LINE_TIMEOUT = 0.05


class Failed(Exception):
    """A command failed, so the recording would be wrong."""


class Recorder:
    """A screen, and every version of each of its rows."""

    def __init__(self, columns, rows, replacements):
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.replacements = replacements
        self.clock = 0.0
        self.last_change = None
        # For each row: list of (time at which this version appeared, its runs).
        self.versions = [[] for _ in range(rows)]

    def feed(self, content):
        """Shows output that has just arrived."""
        for before, after in self.replacements:
            content = content.replace(before.encode(), after.encode())
        now = time.monotonic()
        if self.last_change is not None:
            self.clock += min(now - self.last_change, MAX_PAUSE)
        self.last_change = now
        self.stream.feed(content)
        self.snapshot()

    def pause(self, seconds):
        self.clock += seconds
        self.last_change = time.monotonic()

    def snapshot(self):
        for row in self.screen.dirty:
            if row >= len(self.versions):
                continue
            runs = runs_of(self.screen.buffer[row], self.screen.columns)
            history = self.versions[row]
            if (history[-1][1] if history else []) != runs:
                history.append((round(self.clock, 2), runs))
        self.screen.dirty.clear()

    def run(self, command, directory, environment):
        """Types `command` at a prompt, and runs it in a shell until it exits."""
        self.feed(b"\x1b[32m$\x1b[0m ")
        self.pause(0.6)
        self.feed(b"\x1b[1m" + command.encode() + b"\x1b[0m\r\n")
        self.pause(0.4)
        pid, terminal = pty.fork()
        if pid == 0:
            try:
                os.chdir(directory)
                os.execve("/bin/sh", ["sh", "-c", command], environment)
            finally:
                os._exit(127)
        size = struct.pack("HHHH", self.screen.lines, self.screen.columns, 0, 0)
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, size)
        self.copy_output(pid, terminal, command)
        os.close(terminal)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if status != 0:
            raise Failed(f"`{command}` exited with {status}:\n" + "\n".join(self.screen.display).rstrip())
        self.feed(b"\r\n")
        self.pause(0.8)

    def copy_output(self, pid, terminal, command):
        deadline = time.monotonic() + TIME_LIMIT
        pending = b""
        while True:
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                raise Failed(f"`{command}` did not exit within {TIME_LIMIT} s")
            if not select.select([terminal], [], [], LINE_TIMEOUT)[0]:
                if pending:
                    self.feed(pending)
                    pending = b""
                continue
            try:
                content = os.read(terminal, 65536)
            except OSError:  # Linux reports the end of a pseudo-terminal as EIO.
                content = b""
            if not content:
                if pending:
                    self.feed(pending)
                return
            complete, newline, pending = (pending + content).rpartition(b"\n")
            if newline:
                self.feed(complete + newline)


def runs_of(cells, columns):
    """A row as a list of (column, text, color, bold), without blanks at its end."""
    runs = []
    for column in range(columns):
        cell = cells[column]
        style = (cell.fg, cell.bold)
        if runs and (runs[-1][2], runs[-1][3]) == style:
            runs[-1] = (runs[-1][0], runs[-1][1] + cell.data, *style)
        else:
            runs.append((column, cell.data, *style))
    while runs and not runs[-1][1].strip():
        runs.pop()
    if runs:
        runs[-1] = (runs[-1][0], runs[-1][1].rstrip(), *runs[-1][2:])
    return [run for run in runs if run[1].strip()]
