#!/usr/bin/env python3
"""Makes docs/terminal/terminal.svg: a session with a real server, as the README shows it.

    docs/terminal/terminal.py [FILE]

Needs bin/caddy (./xcaddy.sh build), Node.js and curl. The commands below run in a folder
of their own, on a port that is free; what they print is what the picture shows.
"""

import html
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]

HANDLER = """export const handler = async (event) => {
  console.log('called from', event.requestContext.http.sourceIp);
  return { message: `Hello, ${event.queryStringParameters.name}!` };
};
"""

CADDYFILE = """{
	auto_https off
	admin unix//%(folder)s/admin.sock
	hearth {
		function_url http://*.fn.localhost:%(port)d
	}
}
http://localhost:%(port)d {
	bind 127.0.0.1
	lambda_api
}
http://*.fn.localhost:%(port)d {
	bind 127.0.0.1
	function_urls
}
"""

# {url} is the address that the first command prints.
COMMANDS = (
    "cat hello/index.mjs",
    "caddy hearth deploy hello --runtime nodejs20.x --url public",
    "curl '{url}?name=Ada'",
    "caddy hearth logs hello",
)

WIDTH = 100  # characters
FONT, ADVANCE, LINE, PAD = 13, 7.83, 19, 18  # pixels
COLOURS = {"31": "#ff7b72", "32": "#7ee787", "33": "#e3b341", "34": "#79c0ff", "35": "#d2a8ff", "36": "#76e3ea", "2": "#8b949e", "90": "#8b949e"}


def free_port(wanted):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", wanted))
        except OSError:
            s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def session():
    """Runs the commands; yields them and what they print, line by line."""
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "hello").mkdir()
        (pathlib.Path(folder) / "hello/index.mjs").write_text(HANDLER)
        port = free_port(8080)
        (pathlib.Path(folder) / "Caddyfile").write_text(CADDYFILE % {"folder": folder, "port": port})
        env = dict(os.environ, PATH=f"{ROOT / 'bin'}:{os.environ['PATH']}", XDG_DATA_HOME=f"{folder}/data", HOME=folder)
        server = subprocess.Popen(["caddy", "run"], cwd=folder, env=env, stderr=subprocess.DEVNULL)
        try:
            wait_for(port, server)
            url = ""
            for command in COMMANDS:
                command = command.format(url=url)
                yield "$ " + command
                out = on_terminal(command, folder, env)
                url = url or next(iter(re.findall(r"^(http://\S+)", out, re.M)), "")
                yield from out.rstrip("\n").split("\n")
                yield ""
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)


def wait_for(port, server):
    for _ in range(200):
        if server.poll() is not None:
            sys.exit("the server has ended; run it by hand to see why")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit("the server does not listen")


def on_terminal(command, folder, env):
    """What a command prints on a terminal, with its colours."""
    run = ["script", "-qec", command, "/dev/null"]
    out = subprocess.run(run, cwd=folder, env=env, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, check=True).stdout
    return out.replace("\r\n", "\n").replace("\t", "  ")


def spans(line):
    """The parts of a line, each with its colour."""
    colour = "#e6edf3"
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        if part.startswith("\x1b["):
            codes = part[2:-1].split(";")
            colour = next((COLOURS[c] for c in codes if c in COLOURS), "#e6edf3")
        elif part:
            yield colour, part


def wrap(line):
    """A line that is too long ends where the terminal does."""
    bare = re.sub(r"\x1b\[[0-9;]*m", "", line)
    if len(bare) <= WIDTH:
        return [line]
    at = bare.rfind("  ", 0, WIDTH)
    at = at if at > 0 else WIDTH
    return [bare[:at], *wrap(bare[at:].rstrip())]


def draw(lines):
    lines = [part for line in lines for part in wrap(line)]
    while lines and not lines[-1]:
        lines.pop()
    width, height = round(WIDTH * ADVANCE + 2 * PAD), len(lines) * LINE + 2 * PAD
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">'
    yield "<title>A function is deployed by one command, called by its URL, and its log is shown</title>"
    yield f'<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>'
    yield f'<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="{FONT}" xml:space="preserve">'
    for n, line in enumerate(lines):
        at, y = 0, PAD + n * LINE + FONT
        if line.startswith("$ "):
            line = "\x1b[32m$\x1b[0m" + line[1:]
        for colour, text in spans(line):
            x, length = PAD + at * ADVANCE, len(text) * ADVANCE
            yield f'<text x="{x:.1f}" y="{y}" textLength="{length:.1f}" fill="{colour}">{html.escape(text)}</text>'
            at += len(text)
    yield "</g>"
    yield "</svg>"


def main():
    target = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs/terminal/terminal.svg"
    target.write_text("\n".join(draw(list(session()))) + "\n")


if __name__ == "__main__":
    main()
