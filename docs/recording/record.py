#!/usr/bin/env python3
"""Records codex-connector at work, and draws the recording as docs/recording/demo.svg, the picture in README.md.

    cargo build --features test-fakes        # builds the fake agent, too
    python3 docs/recording/record.py

Every line after a prompt is the real output of the real program, run in a pseudo-terminal in a new home directory. Only the
agent is not real: the tests' fake agent stands in for Codex, so that no account is needed. It really writes the file and
really runs the tests that the recording shows.

To show something else, change COMMANDS. Each must exit with 0; otherwise nothing is drawn and the exit code is 1. Pauses are
shortened to 1.2 s, and the temporary directory's path is left out. Needs Linux or macOS, git and pip; `pyte`, which
interprets the terminal output, is installed into cargo's target directory.
"""

import argparse
import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
REQUIREMENTS = ["pyte==0.8.2", "wcwidth==0.2.13"]
COLUMNS, ROWS = 100, 60
MAX_BYTES = 60_000

COMMANDS = [
    "mcp-call codex_agent task='Write the missing tests for parse_range'",
    "git status --short",
]

PROJECT = {
    "ranges.py": '''def parse_range(text):
    first, last = text.split("-")
    return range(int(first), int(last) + 1)
''',
}

TESTS = '''import unittest
from ranges import parse_range


class ParseRange(unittest.TestCase):
    def test_includes_both_ends(self):
        self.assertEqual(list(parse_range("2-4")), [2, 3, 4])

    def test_accepts_a_single_number(self):
        self.assertEqual(list(parse_range("7-7")), [7])

    def test_rejects_text_without_a_dash(self):
        with self.assertRaises(ValueError):
            parse_range("7")
'''


def steps(project):
    """The script for the fake agent, in the language of `tests/fake_agent/play.rs`."""
    return [
        {"sleep": 1},
        {"say": "I'll read parse_range first, then cover its edge cases."},
        {"sleep": 1.2},
        {"create": {"path": f"{project}/test_ranges.py", "text": TESTS}},
        {"sleep": 1.2},
        {"run": "python3 -B -m unittest"},
        {"sleep": 1},
        {"say": "Added test_ranges.py with 3 tests for parse_range: both ends included, a single number,\n"
                "and an error for text without a dash. All 3 pass."},
    ]


def target_directory():
    command = ["cargo", "metadata", "--no-deps", "--offline", "--format-version", "1"]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return pathlib.Path(json.loads(output)["target_directory"])


def install(into):
    """Installs `pyte`, unless it is installed already, and makes it importable."""
    stamp = into / "-".join(REQUIREMENTS)
    if not stamp.is_file():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--root-user-action=ignore", "--no-deps", "--upgrade", "--target", str(into)]
        subprocess.run([*command, *REQUIREMENTS], check=True)
        stamp.touch()
    sys.path.insert(0, str(into))


def executable(path, text):
    path.write_text(text)
    path.chmod(0o755)


def prepare(root, options):
    """Makes a home with a project and the programs on PATH. Returns the project and the environment."""
    home = root / "home/you"
    programs, project = home / ".local/bin", home / "ranges"
    programs.mkdir(parents=True)
    project.mkdir()
    for name, text in PROJECT.items():
        (project / name).write_text(text)
    (programs / "codex-connector").symlink_to(options.server)
    executable(programs / "mcp-call", f'#!/bin/sh\nexec python3 {shlex.quote(str(HERE / "mcp_call.py"))} "$@"\n')
    # The task reads as a user would write it; this adds the script that the fake agent plays.
    script = root / "script"
    script.write_text("\nFAKE" + json.dumps(steps(project)))
    agent = shlex.quote(str(options.codex))
    executable(
        programs / "codex",
        "#!/bin/sh\n"
        f'[ "$1" = exec ] || exec {agent} "$@"\n'
        'case "$*" in *--help*) exec ' + agent + ' "$@" ;; esac\n'
        f'cat - {shlex.quote(str(script))} | exec {agent} "$@"\n',
    )
    environment = {
        "HOME": str(home),
        "PATH": f"{programs}:{os.environ['PATH']}",
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
    }
    git = ["git", "-c", "user.name=You", "-c", "user.email=you@example.com"]
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "Parse ranges"]):
        subprocess.run([*git, *command], cwd=project, env=environment, check=True)
    return project, environment


def main():
    target = target_directory()
    parser = argparse.ArgumentParser(description="Records codex-connector at work as an SVG.")
    parser.add_argument("--server", type=pathlib.Path, default=target / "debug/codex-connector")
    parser.add_argument("--codex", type=pathlib.Path, default=target / "debug/fake-agent", help="the fake agent")
    parser.add_argument("--output", type=pathlib.Path, default=HERE / "demo.svg")
    options = parser.parse_args()
    for name in ("server", "codex"):
        program = getattr(options, name).absolute()
        setattr(options, name, program)
        if not os.access(program, os.X_OK):
            sys.exit(f"{program} not found; build it first: cargo build --features test-fakes")
    sys.dont_write_bytecode = True
    install(target / "recording")
    import svg
    import terminal

    with tempfile.TemporaryDirectory(prefix="recording-", dir="/var/tmp") as directory:
        root = pathlib.Path(directory).resolve()
        project, environment = prepare(root, options)
        recorder = terminal.Recorder(COLUMNS, ROWS, [(str(root), "")])
        try:
            for command in COMMANDS:
                recorder.run(command, project, environment)
        except terminal.Failed as failure:
            sys.exit(str(failure))
    image = svg.draw(recorder.versions, "codex-connector", COLUMNS)
    if len(image.encode()) > MAX_BYTES:
        sys.exit(f"the image has {len(image.encode())} bytes; at most {MAX_BYTES} are allowed: record less")
    options.output.write_text(image)
    print("\n".join(recorder.screen.display).rstrip())
    print(f"\n{options.output}: {len(image.encode())} bytes, plays for {recorder.clock:.0f} s")


if __name__ == "__main__":
    main()
