#!/usr/bin/env python3
"""`./dev reports`: what the simulator says of examples/queues, written into docs/queue-examples.md anew.

In that page a line `<!-- file NAME -->` or `<!-- sim ARGUMENTS -->` is followed by a block of code, which is
replaced: by the file, or by what `muster sim ARGUMENTS` prints in that folder. With --check nothing is written,
and a block that is out of date is an error.
"""

import argparse
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "queue-examples.md"
QUEUES = ROOT / "examples" / "queues"
BLOCK = re.compile(r"<!-- (file|sim) ([^\n]*) -->\n```\w*\n.*?```\n", re.DOTALL)


def block(muster, kind, what):
    if kind == "file":
        return "toml", (QUEUES / what).read_text()
    run = subprocess.run([muster, "sim", *shlex.split(what)], cwd=QUEUES, capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"muster sim {what}:\n{run.stderr}")
    return "", f"$ muster sim {what}\n{run.stdout}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--muster", required=True, type=pathlib.Path)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    stale = []

    def renew(match):
        kind, what = match[1], match[2]
        language, text = block(arguments.muster.resolve(), kind, what)
        new = f"<!-- {kind} {what} -->\n```{language}\n{text}```\n"
        if new != match[0]:
            stale.append(f"{kind} {what}")
        return new

    page = PAGE.read_text()
    renewed = BLOCK.sub(renew, page)
    if not arguments.check:
        PAGE.write_text(renewed)
    for what in stale:
        print(f"{'is out of date' if arguments.check else 'made anew'}: {what}")
    sys.exit(1 if stale and arguments.check else 0)


if __name__ == "__main__":
    main()
