#!/usr/bin/env python3
"""Runs clang-tidy over the sources of core, base and wire and over those of src/ changed since main.

With `all`: over every source of src/; with file names: over these. A file that passed is not looked
at again until it, a header of ours, its compile command or .clang-tidy changes.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import subprocess
import sys

TIDY = "clang-tidy-19"
BUILD = pathlib.Path("build/dev")
PASSED = pathlib.Path("build/tidy-passed")
ALWAYS = ("src/base/", "src/core/", "src/wire/")


def git_lines(*arguments):
    run = subprocess.run(["git", *arguments], capture_output=True, text=True)
    return run.stdout.split("\n")[:-1] if run.returncode == 0 else []


def changed_files():
    """What differs from where this branch left main, committed or not."""
    names = set(git_lines("diff", "--name-only", "HEAD"))
    names.update(git_lines("ls-files", "--others", "--exclude-standard"))
    for main in ("origin/main", "main"):
        base = git_lines("merge-base", "HEAD", main)
        if base:
            names.update(git_lines("diff", "--name-only", base[0], "HEAD"))
            break
    return names


def compile_commands():
    """Path from the root -> compile command, for the sources that are ours."""
    commands = {}
    root = pathlib.Path.cwd()
    for entry in json.loads((BUILD / "compile_commands.json").read_text()):
        path = pathlib.Path(entry["file"])
        if path.is_relative_to(root / "build") or not path.is_relative_to(root):
            continue
        commands.setdefault(str(path.relative_to(root)), entry["command"])
    return commands


def headers_digest():
    digest = hashlib.sha256()
    for root in ("src", "proto", "sdk"):
        for path in sorted(pathlib.Path(root).rglob("*")):
            if path.suffix in (".h", ".proto"):
                digest.update(str(path).encode() + b"\0" + path.read_bytes())
    digest.update(pathlib.Path(".clang-tidy").read_bytes())
    return digest.digest()


def lint(path, stamp):
    run = subprocess.run([TIDY, "-p", str(BUILD), "--quiet", path], capture_output=True, text=True)
    if run.returncode == 0:
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.touch()
    return path, run.returncode, run.stdout, run.stderr


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("what", nargs="*", help="all, or files")
    arguments = parser.parse_args()

    commands = compile_commands()
    if arguments.what == ["all"]:
        wanted = [p for p in commands if p.startswith("src/")]
    elif arguments.what:
        wanted = arguments.what
        missing = [p for p in wanted if p not in commands]
        if missing:
            sys.exit(f"clang-tidy: not compiled by the dev preset: {' '.join(missing)}")
    else:
        changed = changed_files()
        wanted = [p for p in commands if p.startswith(ALWAYS) or (p.startswith("src/") and p in changed)]
        # Tests, fuzz targets and benchmarks are mostly other people's macros: by name only.
        wanted = [p for p in wanted if not p.endswith(("_test.cc", "_fuzz.cc", "_bench.cc"))]

    headers = headers_digest()
    work = []
    for path in sorted(wanted):
        digest = hashlib.sha256(headers + commands[path].encode() + pathlib.Path(path).read_bytes())
        stamp = PASSED / digest.hexdigest()
        if not stamp.exists():
            work.append((path, stamp))
    failed = []
    with concurrent.futures.ThreadPoolExecutor(max(1, arguments.jobs)) as pool:
        for path, code, out, err in pool.map(lambda job: lint(*job), work):
            if code != 0:
                failed.append(path)
                print(out or err)
    print(f"clang-tidy: {len(work)} files looked at, {len(wanted) - len(work)} unchanged since they passed,"
          f" {len(failed)} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
