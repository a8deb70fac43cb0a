#!/usr/bin/env python3
"""Calls one tool of codex-connector over stdio, as Claude Code does, and prints its progress and its answer.

    mcp_call.py [--server PROGRAM] TOOL [NAME=VALUE]...

A value is JSON if it parses as JSON, and text otherwise: `limit=5` is a number, `task=hello` a text. `workingDirectory` defaults
to the current directory for tools that run tasks. The exit code is 1 if the answer is a tool error.
"""

import argparse
import json
import os
import subprocess
import sys


def value_of(text):
    try:
        return json.loads(text)
    except ValueError:
        return text


def main():
    parser = argparse.ArgumentParser(description="Calls one tool of codex-connector and prints the answer.")
    parser.add_argument("--server", default="codex-connector", help="the program to start (default: codex-connector on PATH)")
    parser.add_argument("tool")
    parser.add_argument("arguments", nargs="*", metavar="NAME=VALUE")
    options = parser.parse_args()
    arguments = {}
    for pair in options.arguments:
        name, equals, text = pair.partition("=")
        if not equals:
            parser.error(f"expected NAME=VALUE, got `{pair}`")
        arguments[name] = value_of(text)
    if options.tool in ("codex_agent", "codex_resume") or options.tool.endswith("_agent"):
        arguments.setdefault("workingDirectory", os.getcwd())

    server = subprocess.Popen([options.server], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def send(**message):
        server.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        server.stdin.flush()

    def answer_to(request):
        for line in server.stdout:
            message = json.loads(line)
            if message.get("id") == request and "method" not in message:
                return message
            if message.get("method") == "notifications/progress":
                print(f"  {message['params'].get('message', '')}", flush=True)
        sys.exit("the server exited without an answer")

    client = {"name": "mcp_call", "version": "1"}
    send(id=1, method="initialize", params={"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client})
    answer_to(1)
    send(method="notifications/initialized")
    send(id=2, method="tools/call", params={"name": options.tool, "arguments": arguments, "_meta": {"progressToken": 2}})
    answer = answer_to(2)
    if "error" in answer:
        sys.exit(answer["error"]["message"])
    result = answer["result"]
    print()
    print("\n".join(block.get("text", "") for block in result["content"]))
    server.stdin.close()
    server.wait()
    return 1 if result.get("isError") else 0


if __name__ == "__main__":
    sys.exit(main())
