#!/usr/bin/env python3
"""examples/servers: each dedicated server through Match Start, launch, Ready, assignment, a query and players
over its own protocol, the end of the match, and its port used again. Real programs, loopback only.

    servers_test.py --muster build/dev/muster GAME...
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import queries  # noqa: E402

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent.parent / "examples" / "servers"
PATIENCE_SECONDS = 60
MUSTER = None

# What each example promises. `changes` are made to its text to have the test wait less, `asked` looks at an
# answer that came while both players of the match were there, or nobody where queries.py cannot enter.
GAMES = {
    "teeworlds": {
        "program": "/usr/games/teeworlds-server",
        "changes": {'idle = "10s"': 'idle = "1s"'},
        "asked": lambda a: a["name"] == "Muster" and a["map"] == "dm1" and a["players"] == 2,
        "reused": True,
    },
    "bzflag": {
        "program": "/usr/games/bzfs",
        "asked": lambda a: a["version"] == "0221" and a["players"] == 2,
    },
    "armagetron": {
        "program": "/usr/games/armagetronad-dedicated.real",
        "changes": {'first_player_timeout = "60s"': 'first_player_timeout = "15s"'},
        "asked": lambda a: a["name"] == "Muster" and a["players"] == 0,
    },
    "minetest": {
        "program": "/usr/lib/minetest/minetestserver",
        "asked": lambda a: a["protocol"] >= 37,
    },
    "openarena": {
        "program": "/usr/games/openarena-server",
        "protocol": "quake3",
        "changes": {'first_player_timeout = "60s"': 'first_player_timeout = "15s"'},
        "asked": lambda a: a["name"] == "Muster" and a["map"] == "oa_dm1" and a["players"] == 0,
    },
    "godot": {
        "program": "/usr/bin/godot3-server",
        "asked": lambda a: a["players"] == 2,
    },
}


def wait_until(what, holds):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {PATIENCE_SECONDS} s in vain for {what}")
        time.sleep(0.02)


def is_free(port):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, kind == socket.SOCK_STREAM)
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                return False
    return True


def free_ports(first, count):
    """The first run of `count` free ports at or after `first`, outside the system's own range."""
    for start in range(first, 32000, count):
        if all(is_free(port) for port in range(start, start + count)):
            return start
    raise AssertionError(f"no {count} free ports in a row between {first} and 32000")


def is_alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Players:
    """`muster play` without a game client: they press Match Start, and stay until their matches end."""

    def __init__(self, lobby, count):
        self.events = []
        self.changed = threading.Condition()
        command = [MUSTER, "play", "--json", "--lobby", f"127.0.0.1:{lobby.port}", "--queue", lobby.game]
        self.count = count
        self.process = subprocess.Popen(command + ["--name", "ann", "-n", str(count)], stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            with self.changed:
                self.events.append(json.loads(line) if line.startswith("{") else {"event": "said", "text": line})
                self.changed.notify_all()
        with self.changed:
            self.events.append({"event": "gone"})
            self.changed.notify_all()

    def wait_for(self, name):
        """That event of each player."""

        def found():
            return [e for e in self.events if e["event"] == name]

        def settled():
            return len(found()) >= self.count or any(e["event"] == "gone" for e in self.events)

        with self.changed:
            self.changed.wait_for(settled, PATIENCE_SECONDS)
            if len(found()) < self.count:
                raise AssertionError(f"{len(found())} of {self.count} players have heard '{name}': {self.events}")
            return found()

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(PATIENCE_SECONDS)
        self.reader.join()
        self.process.stdout.close()


class Lobby:
    """`muster serve` with an example, in a folder and on ports of its own; two game servers at the most."""

    def __init__(self, game):
        self.game = game
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="muster-servers-"))
        # Tests of different games run at the same time.
        self.port = free_ports(20000 + 100 * list(GAMES).index(game), 4)
        self.game_ports = {self.port + 2, self.port + 3}
        self.output = self.folder / "output"
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen([MUSTER, "serve", self._configuration()], stdout=output,
                                            stderr=subprocess.STDOUT)
        wait_until(f"the lobby to listen:\n{self.output.read_text()}", self._listens)

    def _configuration(self):
        text = (EXAMPLES / f"{self.game}.toml").read_text()
        lobby = (f'listen = "127.0.0.1:{self.port}"\nadmin = "127.0.0.1:{self.port + 1}"\n'
                 f'host = "127.0.0.1"\ndata = "data"')
        fleet = f'ports = "{self.port + 2}-{self.port + 3}"\nworking_directory = "{EXAMPLES}"'
        changes = {'listen = "0.0.0.0:4100"': lobby, re.search(r"^ports = .*$", text, re.M).group(): fleet}
        for old, new in {**changes, **GAMES[self.game].get("changes", {})}.items():
            if text.count(old) != 1:
                raise AssertionError(f"{self.game}.toml has {text.count(old)} times: {old}")
            text = text.replace(old, new)
        path = self.folder / "muster.toml"
        path.write_text(text)
        return path

    def _listens(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the lobby has ended:\n{self.output.read_text()}")
        return "players on" in self.output.read_text()

    def servers(self):
        command = [MUSTER, "ctl", "--admin", f"127.0.0.1:{self.port + 1}", "servers", "--json"]
        return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)["servers"]

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE_SECONDS)

    def show(self):
        for path in (self.output, *sorted(self.folder.glob("data/logs/*/*")), self.folder / "data" / "node.log"):
            if path.is_file():
                print(f"--- {path.name}\n{path.read_text(errors='replace')[-4000:]}", file=sys.stderr)

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Servers(unittest.TestCase):
    def play(self, game):
        want = GAMES[game]
        if not os.access(want["program"], os.X_OK):
            if not shutil.which("dpkg-query"):
                self.skipTest(f"{want['program']} is Debian's, and this is another system")
            self.fail(f"{want['program']} is not installed; the head of {EXAMPLES / game}.toml says how")
        with contextlib.ExitStack() as stack:
            lobby = Lobby(game)
            stack.callback(lobby.close)
            try:
                self.play_on(lobby, want)
            except BaseException:
                lobby.show()
                raise

    def play_on(self, lobby, want):
        # Two matches at once, on two servers of their own; then one more.
        first, pids = self.match(lobby, want, players=4)
        self.assertEqual({a["port"] for a in first}, lobby.game_ports)
        if want.get("reused"):
            self.assertEqual({s["state"] for s in lobby.servers()}, {"ready"})
        else:
            wait_until("the game servers to be gone", lambda: not lobby.servers())
            self.assertEqual([pid for pid in pids if is_alive(pid)], [])
            self.assertEqual([port for port in lobby.game_ports if not is_free(port)], [])
        second, more_pids = self.match(lobby, want, players=2)
        self.assertIn(second[0]["port"], lobby.game_ports)
        self.assertEqual({a["serverId"] for a in second} <= {a["serverId"] for a in first}, want.get("reused", False))

        self.assertEqual(lobby.stop(), 0)
        self.assertEqual([pid for pid in pids | more_pids if is_alive(pid)], [])

    def wait_for_answer(self, protocol, port, is_good):
        """A server may answer before it has taken in who has come."""
        answers = []

        def good():
            answers.append(queries.ASK[protocol]("127.0.0.1", port))
            return is_good(answers[-1])

        try:
            wait_until(f"the right answer of {protocol} on port {port}", good)
        except AssertionError as error:
            raise AssertionError(f"{error}; the last one: {answers[-1]}") from error

    def match(self, lobby, want, players):
        """From Match Start to the end. The players' assignments, and the servers' processes."""
        protocol = want.get("protocol", lobby.game)
        people = Players(lobby, players)
        try:
            assignments = people.wait_for("assignment")
            playing = [s for s in lobby.servers() if s["state"] == "allocated"]
            self.assertEqual({s["id"] for s in playing}, {a["serverId"] for a in assignments})
            leaves = []
            for assignment in assignments:
                if protocol in queries.JOIN:
                    where = assignment["host"], assignment["port"]
                    leaves.append(queries.JOIN[protocol](*where, assignment["player"]))
            for port in {a["port"] for a in assignments}:
                self.wait_for_answer(protocol, port, want["asked"])
            for leave in leaves:
                leave()
            self.assertEqual({e["reason"] for e in people.wait_for("match_ended")}, {"OVER"})
            return assignments, {s["pid"] for s in playing}
        finally:
            people.close()


def add_test(game):
    setattr(Servers, f"test_{game}", lambda self: self.play(game))


def main():
    global MUSTER
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--muster", required=True, type=pathlib.Path)
    parser.add_argument("games", nargs="+", choices=GAMES)
    arguments = parser.parse_args()
    MUSTER = arguments.muster.resolve()
    for game in arguments.games:
        add_test(game)
    unittest.main(argv=sys.argv[:1], verbosity=2)


if __name__ == "__main__":
    main()
