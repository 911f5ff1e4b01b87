#!/usr/bin/env python3
"""`./dev demo`: the main job, live. A lobby with the duel example; two players press Match Start; a
game server is launched for them; they play; the result comes back; a second match uses the same game
server again. Every line is something that happened, with the time it happened at."""

import json
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from run_lobby import CONFIG, free_ports  # noqa: E402

BUILD = pathlib.Path(__file__).resolve().parent.parent / "build" / "fast"
MUSTER = BUILD / "muster"
DEADLINE_SECONDS = 60
# What the lobby's own record of events is called here. Others are not worth a line.
LOBBY_EVENTS = {
    "ServerLaunched": "node   the game server's process runs",
    "ServerReady": "node   the game server listens on its port and says it is Ready",
    "MatchOver": "node   the game server reports the result; it is Ready again",
}


class Player:
    """A `muster play` that starts the duel client, as a bot, once it is assigned."""

    def __init__(self, name, lobby_port):
        self.name = name
        self.events = []  # (unix seconds, event)
        self.game = []  # What the game client printed.
        self.changed = threading.Condition()
        command = [MUSTER, "play", "--json", "--lobby", f"127.0.0.1:{lobby_port}", "--queue", "duel"]
        command += ["--name", name, "--", str(BUILD / "examples" / "duel_client")]
        command += ["{host}", "{port}", "{token}", "--bot"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            now = time.time()
            with self.changed:
                if line.startswith('{"'):
                    self.events.append((now, json.loads(line)))
                else:
                    self.game.append(line.rstrip())
                self.changed.notify_all()

    def wait_for(self, event, **fields):
        """The first such event: (when, it)."""

        def find():
            for at, e in self.events:
                if e["event"] == event and all(e.get(k) == v for k, v in fields.items()):
                    return at, e
            return None

        with self.changed:
            if not self.changed.wait_for(find, DEADLINE_SECONDS):
                raise SystemExit(f"demo: {self.name} waited {DEADLINE_SECONDS} s for {event} in vain: {self.events}")
            return find()


class Lobby:
    def __init__(self, folder):
        self.port = free_ports(4100, 2)
        self.admin = self.port + 1
        first = free_ports(7000, 20)
        config = pathlib.Path(folder) / "muster.toml"
        server = BUILD / "examples" / "duel_server"
        config.write_text(CONFIG.format(lobby=self.port, admin=self.admin, first=first, last=first + 19,
                                        servers=20, server=server))
        self.process = subprocess.Popen([MUSTER, "serve", str(config)], stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        if "players on" not in self.process.stdout.readline():
            raise SystemExit(f"demo: the lobby did not start; try: {MUSTER} serve {config}")

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}") as answer:
            return json.load(answer)

    def events(self, after):
        """What passed the core since event number `after`."""
        return [e for e in self.get("/debug/events?last=1000")["events"] if e["number"] > after]

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(DEADLINE_SECONDS)


def say(text=""):
    print(text, flush=True)


def timeline(start, moments):
    for at, what in sorted(moments, key=lambda moment: moment[0]):
        say(f"  {(at - start) * 1000:+9.2f} ms  {what}")


def play_match(lobby, title):
    """Two players, one match; prints what happened and returns the game server's process id."""
    say(f"\n{title}\n")
    last_event = max((e["number"] for e in lobby.events(0)), default=0)
    ann = Player("ann", lobby.port)
    ann_waits, _ = ann.wait_for("ticket", state="QUEUED")
    bob = Player("bob", lobby.port)
    start, _ = bob.wait_for("ticket", state="QUEUED")
    moments = [
        (ann_waits, "ann    presses Match Start: queued, 1 of 2 players here"),
        (start, "bob    presses Match Start"),
    ]
    for player in (ann, bob):
        at, _ = player.wait_for("ticket", state="MATCHED")
        moments.append((at, f"{player.name}    is matched, 2 of 2"))
        at, assignment = player.wait_for("assignment")
        where = f"{assignment['host']}:{assignment['port']}"
        moments.append((at, f"{player.name}    is sent to {where} with a signed join token"))
    server = lobby.get("/v1/servers")["servers"][0]
    assigned = max(at for at, what in moments if "is sent to" in what)
    for player in (ann, bob):
        at, end = player.wait_for("match_ended")
        moments.append((at, f"{player.name}    hears the end: {end['reason']} {end['result']}"))
        player.process.wait(DEADLINE_SECONDS)
    for event in lobby.events(last_event):
        if event["name"] in LOBBY_EVENTS:
            moments.append((event["unixUs"] / 1e6, LOBBY_EVENTS[event["name"]]))
    timeline(start, moments)
    say(f"\n  From bob's Match Start to both players assigned: {(assigned - start) * 1000:.2f} ms.")
    say(f"  The game, as {ann.name} saw its end:")
    for line in ann.game[-3:]:
        say(f"      {line}")
    return server["pid"]


def alive(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def main():
    folder = tempfile.mkdtemp(prefix="muster-demo-")
    lobby = None
    try:
        say("Muster: players press Match Start, and a game server is launched for them on demand.")
        lobby = Lobby(folder)
        say(f"\nThe lobby listens on 127.0.0.1:{lobby.port}. Game servers running: "
            f"{len(lobby.get('/v1/servers')['servers'])}.")
        first = play_match(lobby, "First match: no game server is Ready, so one is launched.")
        second = play_match(lobby, "Second match: the game server of the first is Ready, and used again.")
        if first != second:
            raise SystemExit(f"demo: the second match used process {second}, not {first}")
        say("\nWhat `muster ctl status` says now:\n")
        status = subprocess.run([MUSTER, "ctl", "status", "--admin", f"127.0.0.1:{lobby.admin}"],
                                stdout=subprocess.PIPE, text=True, check=True)
        say("\n".join("  " + line for line in status.stdout.splitlines()))
        node = int((pathlib.Path(folder) / "data" / "node.lock").read_text())
        started = time.time()
        code = lobby.stop()
        left = [pid for pid in (first, node) if alive(pid)]
        say(f"\nCtrl-C: the lobby, its node and its game server ended in {(time.time() - started) * 1000:.0f} ms;"
            f" processes left: {len(left)}.")
        return 1 if left or code != 0 else 0
    finally:
        if lobby and lobby.process.poll() is None:
            lobby.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
