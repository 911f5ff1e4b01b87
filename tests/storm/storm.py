#!/usr/bin/env python3
"""`./dev storm`: the real programs under load, and everything that can happen to them.

Players press Match Start, play, and come again, while the lobby, the node and game servers are killed
with SIGKILL, frozen with SIGSTOP, run out of disk and of descriptors, and connections are cut. What
players and game servers were told is written down as it is told, and compared with what is so: when a
player comes back, and at the end. What was acknowledged and is not so any more, without a word to who
was told, counts as lost; one is a failure.
"""

import argparse
import asyncio
import collections
import contextlib
import json
import os
import pathlib
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

import websockets

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "tools"))
from run_lobby import free_ports  # noqa: E402

CONFIG = """\
[lobby]
listen = "127.0.0.1:{lobby}"
admin = "127.0.0.1:{admin}"
data = "{data}"
resume_grace = "5m"

[journal]
snapshot_bytes = "256KiB"
snapshots_kept = 100

[[fleet]]
name = "storm"
command = ["{server}", "{diaries}"]
ports = "{first}-{last}"
servers_max = {servers}
launch_attempts_max = 20
crash_loop_after = 0
health_timeout = "2s"
match_timeout = "60s"
stop_grace = "1s"

[[queue]]
name = "two"
fleet = "storm"
players = 2
ticket_timeout = "10m"

[[queue]]
name = "five"
fleet = "storm"
players = 5
ticket_timeout = "10m"
"""
MARK = 9  # The number of a request that is always refused.
PATIENCE = 60  # Seconds in which anything that is to come has come.


class Tally:
    """What was checked, and what was lost."""

    def __init__(self):
        self.done = collections.Counter()
        self.checked = collections.Counter()
        self.lost = []

    def check(self, what, good, detail=""):
        self.checked[what] += 1
        if not good:
            self.lost.append(f"{what}: {detail}")
            print(f"LOST  {what}: {detail}", flush=True)


class Lobby:
    """`muster serve`, started again whenever it is gone."""

    def __init__(self, muster, folder, tally):
        self.muster, self.folder, self.tally = muster, folder, tally
        self.port = free_ports(4100, 2)
        self.admin = self.port + 1
        self.data = folder / "disk" / "data"
        self.config = folder / "storm.toml"
        self.diaries = folder / "diaries"
        self.diaries.mkdir()
        self.process = None
        self.wanted = True
        self.gaps = 0  # In the journal: the disk was full.

    def write_config(self, server, servers):
        first = free_ports(7000, 2 * servers)
        self.config.write_text(CONFIG.format(lobby=self.port, admin=self.admin, data=self.data, server=server,
                                             diaries=self.diaries, first=first, last=first + 2 * servers - 1,
                                             servers=servers))

    def start(self):
        log = open(self.folder / "lobby.log", "a")
        self.process = subprocess.Popen([self.muster, "serve", str(self.config)], stdout=log, stderr=log,
                                        start_new_session=True)

    def ask(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/v1/{path}", timeout=5) as answer:
            return json.load(answer)

    async def asked(self, path):
        """The answer, once there is one."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return await asyncio.to_thread(self.ask, path)
            except OSError:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.05)

    async def keep_running(self):
        while self.wanted:
            if self.process is None or self.process.poll() is not None:
                code = self.process.poll() if self.process else None
                if code not in (None, -signal.SIGKILL):
                    self.tally.check("the lobby starts again", False, f"it left with {code}; see lobby.log")
                    self.wanted = False
                    return
                self.start()
            await asyncio.sleep(0.02)

    def node_pid(self):
        """0 if there is none."""
        try:
            pid = int((self.data / "node.lock").read_text().split()[0])
            return pid if b"\0node\0" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() else 0
        except (OSError, ValueError, IndexError):
            return 0

    def has_ended(self, kind, identity):
        """Whether the journal has the end of a ticket or a match; and its life as the journal has it.
        Once the disk was full, the trace ends there: what it does not know then proves nothing."""
        run = subprocess.run([self.muster, "trace", kind, identity, "--data", str(self.data)],
                             capture_output=True, text=True)
        life = run.stdout or "no trace of it"
        if not run.stdout and self.gaps:
            self.tally.done["ends that no trace has, after a full disk"] += 1
            return None, life
        ends = [line for line in life.splitlines() if f"{kind} {identity} " in line]
        return bool(ends) and " ended" in ends[-1].lower(), life


class Player:
    """One session that never gives up. What it was told last is what it believes."""

    def __init__(self, name, lobby, tally, told, rng):
        self.name, self.lobby, self.tally, self.told, self.rng = name, lobby, tally, told, rng
        self.token = None
        self.player_id = None
        self.ticket = None  # (id, state)
        self.match = None  # id
        self.stopping = False
        self.socket = None
        self.heard = time.monotonic()
        self.matches = 0

    async def run(self):
        while not self.stopping:
            try:
                await self.session()
            except (OSError, asyncio.TimeoutError, websockets.exceptions.WebSocketException, EOFError):
                pass
            finally:
                self.socket = None
            await asyncio.sleep(self.rng.uniform(0.01, 0.1))

    async def session(self):
        async with websockets.connect(f"ws://127.0.0.1:{self.lobby.port}/v1/play", open_timeout=5,
                                      subprotocols=["muster.v1.json"], ping_interval=None,
                                      compression=None) as self.socket:
            hello = {"resume": {"sessionToken": self.token}} if self.token else {"guest": {"name": self.name}}
            await self.say({"request": 1, "hello": hello})
            await self.say({"request": MARK, "startMatch": {"queue": "no such queue"}})
            if not await self.come_back():
                return
            while not self.stopping:
                if self.ticket is None and self.match is None:
                    queue = "five" if self.rng.random() < 0.3 else "two"
                    await self.say({"request": 2, "startMatch": {"queue": queue}})
                    await self.listen_until(lambda: self.ticket or self.match)
                elif self.ticket and self.ticket[1] == "QUEUED" and self.rng.random() < 0.02:
                    await self.say({"request": 3, "cancelMatch": {}})
                    await self.listen_until(lambda: self.ticket is None)
                else:
                    await self.listen()

    async def say(self, message):
        await self.socket.send(json.dumps(message))

    async def come_back(self):
        """Compares what the lobby knows with what it told before. All of that comes before the mark is refused."""
        believed_ticket, believed_match = self.ticket, self.match
        known = []
        resumed = self.token is not None
        while True:
            message = json.loads(await asyncio.wait_for(self.socket.recv(), 10))
            if message.get("request") == MARK:
                break
            if "error" in message and message.get("request") == 1:
                code = message["error"].get("code")
                if code in ("lobby_full", "lobby_stopping", "too_many_connections", "busy"):
                    return False
                self.tally.check("a session is there again", False, f"{self.name}: {message['error']}")
                self.token = self.ticket = self.match = None
                return False
            if "welcome" in message:
                welcome = message["welcome"]
                if resumed:
                    self.tally.check("a session is there again",
                                     welcome["playerId"] == self.player_id and welcome.get("resumed", False),
                                     f"{self.name}: {welcome}")
                self.token, self.player_id = welcome["sessionToken"], welcome["playerId"]
                self.ticket = self.match = None
            else:
                known.append(message)
                self.take(message)
        if not resumed:
            return True
        if believed_match and self.match != believed_match and not self.ended(known, believed_match):
            ended, life = await asyncio.to_thread(self.lobby.has_ended, "match", believed_match)
            if ended is not None:
                self.tally.check("a match that is gone has ended", ended,
                                 f"{self.name}: match {believed_match} is gone: {life}")
        elif believed_match:
            self.tally.check("a match is there again, or its end is told", True)
        if believed_ticket:
            same = self.ticket and self.ticket[0] == believed_ticket[0]
            became = any(m.get("assignment", {}).get("ticketId") == believed_ticket[0] for m in known)
            if same or became:
                self.tally.check("a ticket is there again", True)
            else:
                ended, life = await asyncio.to_thread(self.lobby.has_ended, "ticket", believed_ticket[0])
                if ended is not None:
                    self.tally.check("a ticket that is gone has ended", ended,
                                     f"{self.name}: ticket {believed_ticket} is gone: {life}")
        return True

    @staticmethod
    def ended(messages, match):
        return any(m.get("matchEnded", {}).get("matchId") == match for m in messages)

    async def listen_until(self, done):
        deadline = time.monotonic() + PATIENCE
        while not done():
            if time.monotonic() > deadline:
                self.tally.check("an answer comes", False, f"{self.name}: {self.ticket} {self.match}")
                raise EOFError
            await self.listen()

    async def listen(self):
        try:
            raw = await asyncio.wait_for(self.socket.recv(), PATIENCE)
        except asyncio.TimeoutError:
            if self.match or (self.ticket and self.ticket[1] == "MATCHED"):
                self.tally.check("a match goes on", False, f"{self.name}: {self.ticket} {self.match}: silence")
            raise
        message = json.loads(raw)
        if "ping" in message:
            await self.say({"pong": message["ping"]})
        self.take(message)

    def take(self, message):
        if "ticket" in message:
            ticket = message["ticket"]
            state = ticket["state"]
            gone = state in ("CANCELLED", "EXPIRED", "FAILED", "ASSIGNED")
            self.ticket = None if gone else (ticket["ticketId"], state)
            if state == "FAILED":
                self.tally.done["tickets that failed"] += 1
        elif "assignment" in message:
            told = message["assignment"]
            self.match, self.ticket = told["matchId"], None
            place = (told["serverId"], told["port"])
            self.tally.check("all of a match are sent to one place",
                             self.told.places.setdefault(self.match, place) == place,
                             f"match {self.match}: {self.told.places[self.match]} and {place}")
        elif "matchEnded" in message:
            ended = message["matchEnded"]
            if self.match == ended["matchId"]:
                self.match = None
                self.matches += 1
            self.told.ends[ended["matchId"]].add((ended["reason"], ended.get("result", "")))
        elif message.get("error", {}).get("code") in ("already_queued", "already_in_match"):
            self.tally.check("what a player was told is what is so", False, f"{self.name}: {message}")
            raise EOFError

    def cut(self):
        if self.socket:
            self.socket.transport.abort()


class Told:
    """What players were told, by match."""

    def __init__(self):
        self.places = {}
        self.ends = collections.defaultdict(set)


class Weather:
    """What befalls the programs. Each is one coroutine, and leaves things as they were."""

    def __init__(self, lobby, players, tally, rng, disk):
        self.lobby, self.players, self.tally, self.rng, self.disk = lobby, players, tally, rng, disk

    def servers(self):
        mark = str(self.lobby.diaries).encode()
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    if mark in (entry / "cmdline").read_bytes():
                        found.append(int(entry.name))
        return found

    @staticmethod
    def signal(pid, number):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)

    async def kill_lobby(self):
        self.signal(self.lobby.process.pid, signal.SIGKILL)

    async def kill_node(self):
        pid = self.lobby.node_pid()
        if not pid:
            return
        before = set(self.servers())
        self.signal(pid, signal.SIGKILL)
        await asyncio.sleep(0.1)
        # One or another may end just then for reasons of its own, but not all of several.
        if len(before) >= 4:
            self.tally.check("game servers outlive their node", bool(before & set(self.servers())))

    async def kill_lobby_and_node(self):
        await self.kill_node()
        await self.kill_lobby()

    async def kill_server(self):
        servers = self.servers()
        if servers:
            self.signal(self.rng.choice(servers), signal.SIGKILL)

    async def freeze(self, pid, seconds):
        self.signal(pid, signal.SIGSTOP)
        await asyncio.sleep(seconds)
        self.signal(pid, signal.SIGCONT)

    async def freeze_server(self):
        servers = self.servers()
        if servers:
            await self.freeze(self.rng.choice(servers), self.rng.uniform(0.1, 4))

    async def freeze_lobby(self):
        await self.freeze(self.lobby.process.pid, self.rng.uniform(0.05, 1))

    async def freeze_node(self):
        if self.lobby.node_pid():
            await self.freeze(self.lobby.node_pid(), self.rng.uniform(0.05, 1))

    async def cut_connections(self):
        for player in self.rng.sample(self.players, len(self.players) // 4):
            player.cut()

    async def fill_disk(self):
        self.lobby.gaps += 1
        filler = self.disk / "filler"
        try:
            with open(filler, "wb") as file:
                block = b"x" * 65536
                while True:
                    file.write(block)
        except OSError:
            pass
        await asyncio.sleep(self.rng.uniform(0.2, 1.5))
        filler.unlink(missing_ok=True)
        # What happened on a full disk is in no journal, as docs/operating.md says: no kill before it is again.
        deadline = time.monotonic() + PATIENCE
        while not (healthy := (await self.lobby.asked("status"))["journal"]["healthy"]):
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(0.05)
        self.tally.check("the journal goes on once there is space", healthy)

    async def exhaust_descriptors(self):
        pid = self.lobby.process.pid
        try:
            before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            used = len(os.listdir(f"/proc/{pid}/fd"))
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (used, before[1]))
            for player in self.rng.sample(self.players, len(self.players) // 4):
                player.cut()
            await asyncio.sleep(self.rng.uniform(0.1, 1))
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        except OSError:
            pass

    async def blow(self, until, kinds):
        names, weights = zip(*kinds.items())
        while time.monotonic() < until and self.lobby.wanted:
            await asyncio.sleep(self.rng.uniform(0.1, 1.2))
            name = self.rng.choices(names, weights)[0]
            self.tally.done[name.replace("_", " ")] += 1
            await getattr(self, name)()


def read_diaries(folder):
    """match -> result that was acknowledged to its game server; and what is wrong in them."""
    acknowledged, wrong = {}, []
    for path in folder.glob("*.diary"):
        playing = None
        for line in path.read_text().splitlines():
            word, match, *rest = line.split(" ", 2)
            if word == "start":
                if playing and playing != match:
                    wrong.append(f"{path.name}: match {match} began while {playing} was played")
                playing = match
            else:
                playing = None
                if word == "over":
                    if acknowledged.get(match, rest[0]) != rest[0]:
                        wrong.append(f"match {match} has two results: {acknowledged[match]} and {rest[0]}")
                    acknowledged[match] = rest[0]
    return acknowledged, wrong


async def storm(arguments, folder, disk):
    tally, told, rng = Tally(), Told(), random.Random(arguments.seed)
    lobby = Lobby(arguments.muster, folder, tally)
    lobby.write_config(arguments.server, arguments.servers)
    lobby.start()
    keeper = asyncio.create_task(lobby.keep_running())
    players = [Player(f"p{n}", lobby, tally, told, random.Random(rng.random())) for n in range(arguments.players)]
    tasks = [asyncio.create_task(player.run()) for player in players]
    kinds = {"kill_lobby": 5, "kill_server": 6, "freeze_server": 2, "freeze_lobby": 1, "freeze_node": 1,
             "cut_connections": 2, "exhaust_descriptors": 1}
    if not arguments.spare_node:
        kinds |= {"kill_node": 2, "kill_lobby_and_node": 1}
    if disk and not arguments.spare_disk:
        kinds["fill_disk"] = 1
    weather = Weather(lobby, players, tally, rng, disk)
    begun = time.monotonic()
    until = begun + 60 * arguments.minutes
    blowing = asyncio.create_task(weather.blow(until, kinds))
    while not blowing.done():
        await asyncio.wait([blowing], timeout=15)
        print(f"{time.monotonic() - begun:5.0f} s  {sum(p.matches for p in players)} ends of matches heard, "
              f"{sum(tally.checked.values())} checks, {len(tally.lost)} lost; "
              + ", ".join(f"{name} {count}" for name, count in sorted(tally.done.items())), flush=True)
    blowing.result()

    # The storm is over: everybody plays to the end and leaves.
    for player in players:
        player.stopping = True
        player.cut()
    await asyncio.wait(tasks, timeout=PATIENCE)
    await settle(lobby, weather, tally, told)
    lobby.wanted = False
    await keeper
    await leave(lobby, weather, tally)
    return tally, players


async def settle(lobby, weather, tally, told):
    deadline = time.monotonic() + 2 * PATIENCE
    while True:
        servers = (await lobby.asked("servers"))["servers"]
        known = sorted(s["pid"] for s in servers if s["pid"])
        settled = all(s["state"] == "ready" and not s["stopping"] for s in servers)
        if (settled and known == sorted(weather.servers())) or time.monotonic() > deadline:
            break
        await asyncio.sleep(0.2)
    tally.check("all matches come to an end", settled, str([s for s in servers if s["state"] != "ready"]))
    running = sorted(weather.servers())
    tally.check("the lobby knows the game servers that run", known == running, f"{known}, but {running} run")
    ports = [s["port"] for s in servers]
    tally.check("no port is given twice", len(ports) == len(set(ports)), str(ports))
    acknowledged, wrong = read_diaries(lobby.diaries)
    tally.check("a game server has one match at a time", not wrong, "; ".join(wrong))
    for match, result in acknowledged.items():
        for reason, heard in told.ends.get(match, ()):
            tally.check("players hear the result that was acknowledged", reason != "OVER" or heard == result,
                        f"match {match}: {result} was acknowledged, {reason} {heard!r} was told")
            tally.check("an acknowledged result is not taken back", reason in ("OVER", "LEFT"),
                        f"match {match}: {result} was acknowledged, {reason} was told")


async def leave(lobby, weather, tally):
    node = lobby.node_pid()
    lobby.process.send_signal(signal.SIGINT)
    code = await asyncio.to_thread(lobby.process.wait, PATIENCE)
    tally.check("the lobby leaves in good order", code == 0, f"exit code {code}")
    left = weather.servers() + ([node] if node and lobby.node_pid() == node else [])
    tally.check("nothing is left running", not left, str(left))


@contextlib.contextmanager
def small_disk(folder, megabytes):
    """A tmpfs where that may be mounted, so that it can be filled; else a folder, and no filling."""
    disk = folder / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "muster-storm", str(disk)],
                             capture_output=True).returncode == 0
    try:
        yield disk if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(disk)], check=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--muster", required=True)
    parser.add_argument("--server", required=True)
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--players", type=int, default=60)
    parser.add_argument("--servers", type=int, default=20)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--spare-node", action="store_true", help="never kill the node")
    parser.add_argument("--spare-disk", action="store_true",
                        help="never fill the disk: every end is then looked up in the journal")
    parser.add_argument("--keep", action="store_true", help="keep the folder")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}: what happens is the same with --seed, when it happens is not", flush=True)

    folder = pathlib.Path(tempfile.mkdtemp(prefix="muster-storm-"))
    try:
        with small_disk(folder, 64) as disk:
            tally, players = asyncio.run(storm(arguments, folder, disk))
            if tally.lost and arguments.keep:
                shutil.copytree(folder / "disk", folder / "disk-as-it-was", symlinks=True,
                                ignore=lambda d, names: [n for n in names if n.endswith(".sock")])
    finally:
        if not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)
    kills = sum(count for name, count in tally.done.items() if name.startswith("kill"))
    print()
    for name, count in sorted(tally.done.items()):
        print(f"{count:8}  {name}")
    print(f"{sum(p.matches for p in players):8}  ends of matches that players heard\n")
    for name, count in sorted(tally.checked.items()):
        print(f"{count:8}  {name}")
    print(f"\n{kills} kills survived, {sum(tally.checked.values())} acknowledged things checked, {len(tally.lost)} lost")
    if arguments.keep:
        print(f"all of it is in {folder}")
    sys.exit(1 if tally.lost else 0)


if __name__ == "__main__":
    main()
