#!/usr/bin/env python3
"""`./dev run`: a lobby on loopback with the duel example, on ports that are free, until Ctrl-C.

Says how to join, then becomes `muster serve`. Configuration and data stay in build/run/.
"""

import argparse
import os
import pathlib
import socket

CONFIG = """\
[lobby]
listen = "127.0.0.1:{lobby}"
admin = "127.0.0.1:{admin}"
data = "data"

[[fleet]]
name = "duel"
command = ["{server}", "{{port}}"]
ports = "{first}-{last}"
servers_max = {servers}

[[queue]]
name = "duel"
fleet = "duel"
players = 2
"""
SERVERS = 20


def is_free(port):
    """Whether both TCP and UDP can have the port now."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def free_ports(first, count):
    """The first run of `count` free ports at or after `first`, in steps of 100."""
    for start in range(first, 32000, 100):
        if all(is_free(port) for port in range(start, start + count)):
            return start
    raise SystemExit(f"no {count} free ports in a row between {first} and 32000")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--muster", required=True)
    parser.add_argument("--server", required=True)
    parser.add_argument("--client", required=True)
    arguments = parser.parse_args()

    lobby = free_ports(4100, 2)
    first = free_ports(7000, SERVERS)
    folder = pathlib.Path("build/run")
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "muster.toml"
    config.write_text(CONFIG.format(lobby=lobby, admin=lobby + 1, first=first, last=first + SERVERS - 1,
                                    servers=SERVERS, server=pathlib.Path(arguments.server).resolve()))
    play = f"{arguments.muster} play --lobby 127.0.0.1:{lobby} --queue duel"
    client = f"-- {arguments.client} {{host}} {{port}} {{token}}"
    print(f"""\
The lobby listens on 127.0.0.1:{lobby}. To play a duel, in two other terminals:
  {play} --name ann {client}
  {play} --name bob {client} --bot
To see what is going on:
  {arguments.muster} ctl status --admin 127.0.0.1:{lobby + 1}
Ctrl-C stops it and its game servers.
""", flush=True)
    os.execv(arguments.muster, [arguments.muster, "serve", str(config)])


if __name__ == "__main__":
    main()
