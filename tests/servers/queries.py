#!/usr/bin/env python3
"""Asks a dedicated server about itself over its game's own protocol, as its client's server list does; or
enters it as a player.

    queries.py GAME HOST PORT                     GAME: teeworlds, quake3, bzflag, minetest, armagetron, godot
    queries.py GAME HOST PORT --as NAME --stay S  first enters as NAME (teeworlds, bzflag, minetest, godot),
                                                  asks, and leaves after S seconds

Prints the answer as one line of JSON. Exits with 1 if none comes within SECONDS_MAX. These are clients for the
tests and for trying a configuration by hand; they know as much of each protocol as one answer takes.
"""

import argparse
import json
import os
import socket
import struct
import sys
import time

SECONDS_MAX = 10
RESEND_SECONDS = 0.5  # Datagrams get lost, and a server that has just started may not read yet.


class NoAnswer(Exception):
    """Nobody answered in time, or not in this protocol."""


class Datagrams:
    """A UDP socket to one server that repeats a request until an answer is accepted."""

    def __init__(self, host, port):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect((host, port))
        self.where = f"{host}:{port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        try:
            self.socket.send(data)
        except ConnectionRefusedError:
            pass  # Said of an earlier datagram: nobody had the port yet.

    def send_last(self, data):
        self.send(data)
        self.socket.close()

    def ask(self, request, accept):
        """The first non-None of accept(datagram)."""
        deadline = time.monotonic() + SECONDS_MAX
        while time.monotonic() < deadline:
            self.send(request)
            resend = time.monotonic() + RESEND_SECONDS
            while (left := resend - time.monotonic()) > 0:
                self.socket.settimeout(left)
                try:
                    answer = accept(self.socket.recv(65536))
                except ConnectionRefusedError:
                    time.sleep(min(left, 0.05))
                    continue
                except TimeoutError:
                    break
                if answer is not None:
                    return answer
        raise NoAnswer(f"{self.where} did not answer a request of {len(request)} bytes within {SECONDS_MAX} s")


# ---- Teeworlds 0.7: a token first, so that nobody can make the server answer to somebody else.

TEEWORLDS_CONTROL, TEEWORLDS_CONNLESS = 0x04, 0x21
TEEWORLDS_CONNECT, TEEWORLDS_ACCEPT, TEEWORLDS_CLOSE, TEEWORLDS_TOKEN = 1, 2, 4, 5
TEEWORLDS_GET_INFO, TEEWORLDS_INFO = b"\xff\xff\xff\xffgie3", b"\xff\xff\xff\xffinf3"


def teeworlds_control(theirs, code, mine):
    """Padded: a request that costs less than its answer is not answered."""
    return bytes([TEEWORLDS_CONTROL, 0, 0]) + theirs + bytes([code]) + mine + bytes(508)


def teeworlds_token(server, mine):
    def token(datagram):
        if len(datagram) >= 12 and datagram[3:7] == mine and datagram[7] == TEEWORLDS_TOKEN:
            return datagram[8:12]
        return None

    return server.ask(teeworlds_control(b"\xff" * 4, TEEWORLDS_TOKEN, mine), token)


def teeworlds_int(data, at):
    """Sign and six bits in the first byte, seven in each further one."""
    first = data[at]
    value, shift, more, at = first & 0x3F, 6, first & 0x80, at + 1
    while more:
        value |= (data[at] & 0x7F) << shift
        shift, more, at = shift + 7, data[at] & 0x80, at + 1
    return (~value if first & 0x40 else value), at


def teeworlds(host, port):
    mine = os.urandom(4)

    def info(datagram):
        if datagram[:1] != bytes([TEEWORLDS_CONNLESS]) or datagram[1:5] != mine or datagram[9:17] != TEEWORLDS_INFO:
            return None
        return datagram[17:]

    with Datagrams(host, port) as server:
        theirs = teeworlds_token(server, mine)
        body = server.ask(bytes([TEEWORLDS_CONNLESS]) + theirs + mine + TEEWORLDS_GET_INFO + b"\0", info)
    _, at = teeworlds_int(body, 0)  # The token of the browser's own: 0.
    fields = {}
    for name in ("version", "name", "hostname", "map", "mode"):
        end = body.index(0, at)
        fields[name], at = body[at:end].decode(), end + 1
    for name in ("flags", "skill", "players", "players_max", "clients", "clients_max"):
        fields[name], at = teeworlds_int(body, at)
    return fields


TEEWORLDS_INFO_MESSAGE, TEEWORLDS_READY, TEEWORLDS_ENTER_GAME, TEEWORLDS_START_INFO = 1, 18, 19, 27


def teeworlds_join(host, port, name):
    """Enters the game. What the server says from then on is compressed and not looked at."""
    mine = os.urandom(4)
    server = Datagrams(host, port)
    theirs = teeworlds_token(server, mine)
    server.ask(teeworlds_control(theirs, TEEWORLDS_CONNECT, mine),
               lambda d: True if d[3:8] == mine + bytes([TEEWORLDS_ACCEPT]) else None)
    looks = name.encode() + b"\0\0" + b"\0" + b"standard\0" * 6 + bytes(12)
    messages = (bytes([TEEWORLDS_INFO_MESSAGE << 1 | 1]) + b"0.7 802f1be60a05665f\0\0\0",
                bytes([TEEWORLDS_READY << 1 | 1]),
                bytes([TEEWORLDS_START_INFO << 1]) + looks,
                bytes([TEEWORLDS_ENTER_GAME << 1 | 1]))
    for sequence, message in enumerate(messages, 1):
        chunk = bytes([0x40 | len(message) >> 6, len(message) & 0x3F, sequence]) + message
        server.send(bytes([0, 0, 1]) + theirs + chunk)
    return lambda: server.send_last(bytes([TEEWORLDS_CONTROL, 0, 0]) + theirs + bytes([TEEWORLDS_CLOSE]))


# ---- Quake 3 and what is built on it.

OUT_OF_BAND = b"\xff\xff\xff\xff"


def quake3(host, port):
    def status(datagram):
        head = OUT_OF_BAND + b"statusResponse\n"
        return datagram[len(head):] if datagram.startswith(head) else None

    with Datagrams(host, port) as server:
        settings, *players = server.ask(OUT_OF_BAND + b"getstatus muster\n", status).decode("latin-1").splitlines()
    words = settings.split("\\")[1:]
    fields = dict(zip(words[::2], words[1::2]))
    if fields.get("challenge") != "muster":
        raise NoAnswer(f"{host}:{port} did not repeat the challenge: {settings}")
    return {"name": fields["sv_hostname"], "map": fields["mapname"], "players": len(players),
            "players_max": int(fields["sv_maxclients"])}


# ---- BZFlag: TCP; a hello, then messages of length, code and body.


def read_exactly(connection, count):
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise NoAnswer(f"the server closed the connection after {len(data)} of {count} bytes")
        data += more
    return data


def bzflag_connect(host, port):
    connection = socket.create_connection((host, port), SECONDS_MAX)
    connection.sendall(b"BZFLAG\r\n\r\n")
    hello = read_exactly(connection, 9)
    if hello[:4] != b"BZFS" or hello[8] == 255:
        raise NoAnswer(f"{host}:{port} is no BZFlag server, or turns us away: {hello!r}")
    return connection, hello


def bzflag_message(connection, code):
    """The next message with that code; others are passed over."""
    while True:
        length, got = struct.unpack(">H2s", read_exactly(connection, 4))
        body = read_exactly(connection, length)
        if got == code:
            return body


def bzflag(host, port):
    connection, hello = bzflag_connect(host, port)
    with connection:
        connection.sendall(struct.pack(">H2s", 0, b"qg"))
        game = struct.unpack(">22H", bzflag_message(connection, b"qg"))
        connection.sendall(struct.pack(">H2s", 0, b"qp"))
        _, players = struct.unpack(">2H", bzflag_message(connection, b"qp"))
    styles = ("team free-for-all", "capture the flag", "open free-for-all", "rabbit chase")
    return {"version": hello[4:8].decode(), "mode": styles[game[0]], "players": players, "players_max": game[2]}


BZFLAG_TANK, BZFLAG_TEAM_AUTOMATIC = 0, 0xFFFE


def bzflag_join(host, port, name):
    connection, _ = bzflag_connect(host, port)
    body = struct.pack(">HH32s128s22s60s", BZFLAG_TANK, BZFLAG_TEAM_AUTOMATIC, name.encode(), b"", b"", b"2.4.26")
    connection.sendall(struct.pack(">H2s", len(body), b"en") + body)
    bzflag_message(connection, b"ac")  # Accepted; a rejection ends the connection.
    return connection.close


# ---- Minetest: its own reliable packets over UDP.

MINETEST_PROTOCOL = 0x4F457403
MINETEST_CONTROL, MINETEST_ORIGINAL, MINETEST_RELIABLE = 0, 1, 3
MINETEST_ACK, MINETEST_SET_PEER_ID, MINETEST_DISCO = 0, 1, 3
MINETEST_FIRST_SEQUENCE = 65500
MINETEST_INIT, MINETEST_HELLO, MINETEST_ACCESS_DENIED = 0x02, 0x02, 0x0A


def minetest_packet(peer, channel, body):
    return struct.pack(">IHB", MINETEST_PROTOCOL, peer, channel) + body


class MinetestPeer:
    """One connection: acknowledges what is reliable, hands out what is whole."""

    def __init__(self, server):
        self.server = server
        self.peer = 0
        opening = struct.pack(">BHB", MINETEST_RELIABLE, MINETEST_FIRST_SEQUENCE, MINETEST_ORIGINAL)
        self.peer = server.ask(minetest_packet(0, 0, opening), self._peer_id)

    def _body(self, datagram):
        """Of a datagram of this protocol, without what makes it reliable; (type, rest)."""
        if len(datagram) < 8 or struct.unpack(">I", datagram[:4])[0] != MINETEST_PROTOCOL:
            return None, b""
        channel, kind, rest = datagram[6], datagram[7], datagram[8:]
        if kind == MINETEST_RELIABLE and len(rest) >= 3:
            acknowledge = struct.pack(">BBH", MINETEST_CONTROL, MINETEST_ACK, struct.unpack(">H", rest[:2])[0])
            self.server.send(minetest_packet(self.peer, channel, acknowledge))
            kind, rest = rest[2], rest[3:]
        return kind, rest

    def _peer_id(self, datagram):
        kind, rest = self._body(datagram)
        if kind == MINETEST_CONTROL and rest[:1] == bytes([MINETEST_SET_PEER_ID]):
            return struct.unpack(">H", rest[1:3])[0]
        return None

    def ask(self, channel, command, commands_awaited):
        """Says a command; the first answer among those awaited: (command, body)."""

        def answer(datagram):
            kind, rest = self._body(datagram)
            if kind != MINETEST_ORIGINAL or len(rest) < 2:
                return None
            code = struct.unpack(">H", rest[:2])[0]
            return (code, rest[2:]) if code in commands_awaited else None

        return self.server.ask(minetest_packet(self.peer, channel, bytes([MINETEST_ORIGINAL]) + command), answer)

    def introduce(self, name):
        """Says who comes; what the server says to that."""
        init = struct.pack(">HBHHHH", MINETEST_INIT, 28, 0, 37, 41, len(name)) + name
        code, body = self.ask(1, init, (MINETEST_HELLO, MINETEST_ACCESS_DENIED))
        if code == MINETEST_ACCESS_DENIED:
            raise NoAnswer(f"{self.server.where} turns us away: {body!r}")
        return struct.unpack(">BHHI", body[:9])

    def leave(self):
        self.server.send(minetest_packet(self.peer, 0, bytes([MINETEST_CONTROL, MINETEST_DISCO])))


def minetest(host, port):
    with Datagrams(host, port) as server:
        peer = MinetestPeer(server)
        serialization, _, protocol, logins = peer.introduce(b"muster")
        peer.leave()
    return {"protocol": protocol, "serialization": serialization, "logins": logins}


MINETEST_AUTH_ACCEPT, MINETEST_INIT2, MINETEST_CLIENT_READY, MINETEST_FIRST_SRP = 0x03, 0x11, 0x43, 0x50
MINETEST_OF_THE_WORLD = range(0x20, 0x70)  # Definitions, media, blocks: it has begun to tell.


def minetest_join(host, port, name):
    """Enters as somebody who has never been there, with an empty password."""
    server = Datagrams(host, port)
    peer = MinetestPeer(server)
    peer.introduce(name.encode())
    salt, verifier = os.urandom(16), os.urandom(256)  # What a later login would be checked against.
    sign_up = struct.pack(">HH", MINETEST_FIRST_SRP, len(salt)) + salt
    sign_up += struct.pack(">H", len(verifier)) + verifier + b"\1"
    code, body = peer.ask(1, sign_up, (MINETEST_AUTH_ACCEPT, MINETEST_ACCESS_DENIED))
    if code == MINETEST_ACCESS_DENIED:
        raise NoAnswer(f"{server.where} does not let {name} in: {body!r}")
    peer.ask(1, struct.pack(">HH", MINETEST_INIT2, 0), MINETEST_OF_THE_WORLD)
    version = b"5.6.1"
    ready = struct.pack(">HBBBBH", MINETEST_CLIENT_READY, 5, 6, 1, 0, len(version)) + version + struct.pack(">H", 4)
    server.send(minetest_packet(peer.peer, 1, bytes([MINETEST_ORIGINAL]) + ready))

    def leave():
        peer.leave()
        server.socket.close()

    return leave


# ---- Armagetron Advanced: messages of 16-bit words, big-endian; last who sends them (0: nobody yet).

ARMAGETRON_SMALL_INFO, ARMAGETRON_BIG_INFO = 50, 51
ARMAGETRON_REQUEST_SMALL_INFO, ARMAGETRON_REQUEST_BIG_INFO = 52, 53


class ArmagetronWords:
    """Reads the words of a message's body in turn."""

    def __init__(self, words):
        self.words = words

    def number(self):
        low, high, *self.words = self.words
        return low | high << 16

    def text(self):
        """A count of bytes, then two in each word, the first one low."""
        count, *rest = self.words
        used = (count + 1) // 2
        self.words = rest[used:]
        return struct.pack(f"<{used}H", *rest[:used]).rstrip(b"\0").decode("latin-1")


def armagetron(host, port):
    def answer_of(kind):
        def answer(datagram):
            words = struct.unpack_from(f">{len(datagram) // 2}H", datagram)
            return ArmagetronWords(list(words[3:3 + words[2]])) if len(words) > 3 and words[0] == kind else None

        return answer

    def request(kind):
        return struct.pack(">4H", kind, 0, 0, 0)

    with Datagrams(host, port) as server:
        # The long answer is for who has had the short one.
        server.ask(request(ARMAGETRON_REQUEST_SMALL_INFO), answer_of(ARMAGETRON_SMALL_INFO))
        body = server.ask(request(ARMAGETRON_REQUEST_BIG_INFO), answer_of(ARMAGETRON_BIG_INFO))
    said_port, _, name, players, _, _, version, players_max = (
        body.number(), body.text(), body.text(), body.number(), body.number(), body.number(), body.text(), body.number())
    if said_port != port:
        raise NoAnswer(f"{host}:{port} says that its port is {said_port}")
    return {"name": name, "version": version, "players": players, "players_max": players_max}


# ---- The Godot game of examples/servers/godot: a line each way.


def godot_say(host, port, line):
    connection = socket.create_connection((host, port), SECONDS_MAX)
    connection.sendall(line.encode() + b"\n")
    with connection.makefile() as lines:
        return connection, lines.readline().rstrip()


def godot_join(host, port, name):
    connection, answer = godot_say(host, port, name)
    if not answer.startswith(f"hello {name}, "):
        raise NoAnswer(f"{host}:{port} answers {name} with {answer!r}")
    return connection.close


def godot(host, port):
    connection, answer = godot_say(host, port, "?")
    connection.close()
    return {"players": int(answer)}


ASK = {"teeworlds": teeworlds, "quake3": quake3, "bzflag": bzflag, "minetest": minetest, "armagetron": armagetron,
       "godot": godot}
JOIN = {"teeworlds": teeworlds_join, "bzflag": bzflag_join, "minetest": minetest_join, "godot": godot_join}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("game", choices=ASK)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--as", dest="name", help="enter under this name")
    parser.add_argument("--stay", type=float, default=0, help="leave after so many seconds")
    arguments = parser.parse_args()
    where = arguments.host, arguments.port
    try:
        leave = JOIN[arguments.game](*where, arguments.name) if arguments.name else None
        time.sleep(arguments.stay)
        print(json.dumps({"game": arguments.game, **ASK[arguments.game](*where)}), flush=True)
        if leave:
            leave()
    except (NoAnswer, OSError) as error:
        raise SystemExit(f"{arguments.game}: {error}") from error


if __name__ == "__main__":
    main()
