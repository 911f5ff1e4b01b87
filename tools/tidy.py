#!/usr/bin/env python3
"""What a program can check about the source, so that review need not say it twice.

Reads what git knows (and files not yet added). Prints `file:line: what is wrong` and fails on any
error; warnings are only said. `--self-test` proves of each rule that it can fail.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys

LINES_MAX = 600  # Of one file in src/; past it is usually two nouns.

RULES = []


def rule(function):
    RULES.append(function)
    return function


class Tree:
    """Path -> text of every file, and what was found wrong."""

    def __init__(self, files):
        self.files = files
        self.errors = []
        self.warnings = []
        self.modules = module_table(files.get("CMakeLists.txt", ""))

    def error(self, path, line, text):
        self.errors.append(f"{path}:{line}: {text}")

    def warn(self, path, line, text):
        self.warnings.append(f"{path}:{line}: warning: {text}")

    def under(self, *folders, suffixes=(".cc", ".h", ".c")):
        for path, text in sorted(self.files.items()):
            if path.startswith(folders) and path.endswith(suffixes):
                yield path, text

    def has_folder(self, folder):
        folder = folder.rstrip("/") + "/"
        return any(path.startswith(folder) for path in self.files)


def module_table(cmake):
    """The muster_module() lines: folder of src/ -> the folders it may include."""
    table = {}
    for name, rest in re.findall(r"^\s*muster_module\(\s*(\w+)([^)]*)\)", cmake, re.MULTILINE):
        words = rest.split()
        deps = words[words.index("DEPS") + 1:] if "DEPS" in words else []
        table[name] = set(deps[:deps.index("LIBS")] if "LIBS" in deps else deps)
    return table


def includes(text):
    for number, line in enumerate(text.split("\n"), 1):
        found = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if found:
            yield number, found[1] == '"', found[2]


def code_lines(text):
    """Lines without comments and without what is inside literals."""
    def blank(found):
        token = found[0]
        if token.startswith("/"):
            return re.sub(r"[^\n]", " ", token)
        return '""' + "\n" * token.count("\n")
    pattern = r'//[^\n]*|/\*.*?\*/|R"(?P<tag>[^(\s]*)\(.*?\)(?P=tag)"|"(?:\\.|[^"\\\n])*"' \
              r"|(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'"
    return enumerate(re.sub(pattern, blank, text, flags=re.DOTALL).split("\n"), 1)


@rule
def include_direction(tree):
    """src/ includes only along the muster_module lines of CMakeLists.txt; sdk/ nothing of src/."""
    for path, text in tree.under("src/"):
        module = path.split("/")[1]
        if module not in tree.modules:
            tree.error(path, 1, f"src/{module}/ has no muster_module line in CMakeLists.txt")
            continue
        allowed = tree.modules[module] | {module}
        for line, quoted, name in includes(text):
            if not quoted:
                continue
            first = name.split("/")[0]
            if first == "proto":
                first = "wire"  # Generated messages are wire's.
            elif "/" not in name or first not in tree.modules:
                tree.error(path, line, f'"{name}": our own headers are named from src/ ("core/event.h"),'
                                       " others in <>")
                continue
            if first not in allowed:
                tree.error(path, line, f'{module} may not include "{name}": CMakeLists.txt lets it know'
                                       f" only {', '.join(sorted(allowed - {module})) or 'itself'}")
    for path, text in tree.under("sdk/", suffixes=(".h", ".c", ".hpp")):
        for line, quoted, name in includes(text):
            if name.split("/")[0] in tree.modules or name.startswith("proto/"):
                tree.error(path, line, f'"{name}": the SDKs depend on nothing of src/')


@rule
def pragma_once(tree):
    """A header starts with #pragma once; a C one may have an include guard."""
    for path, text in tree.under("src/", "sdk/", "examples/", "bench/", "tests/", suffixes=(".h", ".hpp")):
        code = [line.strip() for _, line in code_lines(text) if line.strip()]
        first = code[0] if code else ""
        if first == "#pragma once" or (path.startswith("sdk/") and first.startswith("#ifndef ")):
            continue
        tree.error(path, 1, "a header starts with #pragma once")


# What would let the outside world into the core: (where, what, why).
OUTSIDE_HEADERS = re.compile(
    r"(thread|mutex|shared_mutex|condition_variable|future|stop_token|semaphore|latch|barrier|atomic"
    r"|ctime|time\.h|fstream|iostream|filesystem|unistd\.h|fcntl\.h|poll\.h|netdb\.h"
    r"|(sys|netinet|arpa|net|boost/asio)/.*)")
OUTSIDE_CODE = [
    (re.compile(r"\b(system|steady|high_resolution|utc|file)_clock\b"), "reads a clock: time comes in with"
                                                                       " the event"),
    (re.compile(r"\b(getenv|gettimeofday|clock_gettime|time\s*\(\s*(nullptr|NULL|0)\s*\))"),
     "asks the outside world: it comes in as an event"),
]
CHANCE = re.compile(r"\b(std::rand|srand|random_device|mt19937(_64)?|default_random_engine"
                    r"|uniform_(int|real)_distribution|std::shuffle)\b")
HASH_ORDER = re.compile(r"\b(unordered_(multi)?(map|set)|std::hash|flat_hash_(map|set))\b")


def pure(tree, *folders):
    for path, text in tree.under(*folders):
        if not path.endswith("_bench.cc"):
            yield path, text


@rule
def core_without_the_world(tree):
    """base/ and core/ have no clock, thread, socket or file."""
    for path, text in pure(tree, "src/core/", "src/base/"):
        if path.endswith(("_test.cc", "_fuzz.cc")):
            continue  # They read scenario and corpus files.
        for line, quoted, name in includes(text):
            if not quoted and OUTSIDE_HEADERS.fullmatch(name):
                tree.error(path, line, f"<{name}>: the core has no clocks, threads, sockets or files")
        for line, code in code_lines(text):
            for pattern, why in OUTSIDE_CODE:
                found = pattern.search(code)
                if found:
                    tree.error(path, line, f"{found[0]} {why}")


@rule
def same_on_every_machine(tree):
    """base/, core/, sim/ and population/ have no library randomness and no hash order: base/prng.h and id order."""
    for path, text in pure(tree, "src/core/", "src/base/", "src/sim/", "src/population/"):
        for line, quoted, name in includes(text):
            if not quoted and name in ("random", "unordered_map", "unordered_set"):
                tree.error(path, line, f"<{name}> differs between libraries: use base/prng.h, ordered maps")
        for line, code in code_lines(text):
            found = CHANCE.search(code) or HASH_ORDER.search(code)
            if found:
                tree.error(path, line, f"{found[0]} differs between libraries: use base/prng.h, ordered maps")


@rule
def no_floating_point_in_core(tree):
    """core/ computes with integers; an Attribute's value (types.h) only passes through."""
    for path, text in pure(tree, "src/core/"):
        if path.endswith(("/types.h", "_test.cc", "_fuzz.cc")):
            continue
        for line, code in code_lines(text):
            # A double named as a type argument is Attribute's variant being looked at.
            found = re.search(r"\b(float|double)\b", re.sub(r"<(const )?double[ &*]*>", "", code))
            if found:
                tree.error(path, line, f"{found[0]}: the core computes with integers, which are the same"
                                       " everywhere")


@rule
def fuzz_targets_have_a_corpus(tree):
    """x_fuzz.cc has inputs in tests/corpus/x_fuzz/, and no corpus is left without its target."""
    targets = {pathlib.PurePath(p).stem for p in tree.files if p.endswith(("_fuzz.cc", "_fuzz.c"))}
    corpora = {p.split("/")[2] for p in tree.files if re.match(r"tests/corpus/[^/]+/.", p)}
    for path in sorted(tree.files):
        name = pathlib.PurePath(path).stem
        if path.endswith(("_fuzz.cc", "_fuzz.c")) and name not in corpora:
            tree.error(path, 1, f"no inputs in tests/corpus/{name}/: put a few small ones there")
    for name in sorted(corpora - targets):
        tree.error(f"tests/corpus/{name}", 1, f"no {name}.cc runs these inputs")


def slug(heading):
    """The anchor that a Markdown heading gets."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def markdown_lines(text):
    fenced = False
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced:
            yield number, line


def anchors(text):
    return {slug(line.lstrip("#")) for _, line in markdown_lines(text) if re.match(r"#{1,6} ", line)}


@rule
def links_resolve(tree):
    """A link from a Markdown file to a file of the repository, or to a heading, leads somewhere."""
    for path, text in sorted(tree.files.items()):
        if not path.endswith(".md"):
            continue
        for line, content in markdown_lines(text):
            for target in re.findall(r"\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)", re.sub(r"`[^`]*`", "", content)):
                if re.match(r"[a-z][a-z0-9+.-]*:", target):
                    continue
                name, _, anchor = target.partition("#")
                to = os.path.normpath(os.path.join(os.path.dirname(path), name)) if name else path
                if to not in tree.files and not tree.has_folder(to):
                    tree.error(path, line, f"the link to {target} leads nowhere")
                elif anchor and to.endswith(".md") and anchor not in anchors(tree.files[to]):
                    tree.error(path, line, f"{to} has no heading #{anchor}")


@rule
def architecture_names_the_folders(tree):
    """ARCHITECTURE.md has a row for each folder of src/, and names no folder that is not there."""
    text = tree.files.get("ARCHITECTURE.md")
    if text is None:
        return
    folders = {p.split("/")[1] for p in tree.files if re.match(r"src/[^/]+/", p)}
    rows = re.findall(r"^\W*(?:src/)?([a-z0-9_]+)/?`?(?:\]\([^)]*\))?\s*(?:\||\s{2,})", text, re.MULTILINE)
    for name in sorted(folders - set(rows)):
        tree.error("ARCHITECTURE.md", 1, f"no row for src/{name}/")
    for number, line in enumerate(text.split("\n"), 1):
        for name in re.findall(r"\bsrc/([a-z0-9_]+)\b(?!\.)", line):
            if name not in folders:
                tree.error("ARCHITECTURE.md", number, f"there is no src/{name}/")


@rule
def whitespace(tree):
    """No tab in C and C++, no trailing white space, and a newline at the end."""
    for path, text in sorted(tree.files.items()):
        if path.startswith("tests/corpus/") or path == "LICENSE" or "\0" in text:
            continue
        for number, line in enumerate(text.split("\n"), 1):
            if path.endswith((".cc", ".h", ".c", ".proto")) and "\t" in line:
                tree.error(path, number, "a tab")
            if line != line.rstrip(" \t\r"):
                tree.error(path, number, "white space at the end of the line")
        if text and not text.endswith("\n"):
            tree.error(path, text.count("\n") + 1, "no newline at the end")


@rule
def nothing_left_for_later(tree):
    """What is not there is not claimed: no note to finish something later."""
    marks = "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X"))
    for path, text in tree.under("src/", "sdk/", "examples/", "bench/", "tests/", "tools/", "proto/",
                                 suffixes=(".cc", ".h", ".c", ".py", ".proto", ".js")):
        if path.startswith("tests/corpus/"):
            continue
        for number, line in enumerate(text.split("\n"), 1):
            found = re.search(rf"\b({marks})\b", line)
            if found:
                tree.error(path, number, f"{found[0]}: finish it or leave it out")


@rule
def short_files(tree):
    """A file of src/ stays short."""
    for path, text in tree.under("src/"):
        lines = text.count("\n")
        if lines > LINES_MAX:
            tree.warn(path, 1, f"{lines} lines: past {LINES_MAX} it is usually two nouns")


def read_tree():
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            check=True, capture_output=True).stdout.decode()
    files = {}
    for name in filter(None, listed.split("\0")):
        path = pathlib.Path(name)
        if path.is_file():
            files[name] = path.read_bytes().decode("utf-8", "replace")
    return Tree(files)


def self_test():
    """Each row: a rule, a tree it accepts, and one change that it must refuse."""
    table = "muster_module(base DEPS LIBS)\nmuster_module(core DEPS base LIBS fmt::fmt)\n" \
            "muster_module(wire DEPS base LIBS)\nmuster_module(sim DEPS base core LIBS)\n"
    good = {
        "CMakeLists.txt": table,
        "src/base/id.h": '#pragma once\n',
        "src/core/core.cc": '#include "base/id.h"\n#include "core/core.h"\n// steady_clock, double: words\n',
        "src/core/core.h": "// A contract.\n#pragma once\n#include <chrono>\n#include <vector>\n",
        "src/core/types.h": "#pragma once\ninline double value = 0;\n",
        "src/wire/frame_fuzz.cc": '#include "proto/player.pb.h"\n',
        "src/sim/world.cc": '#include "core/core.h"\n',
        "tests/corpus/frame_fuzz/empty": "",
        "docs/a.md": "# A b\n[b](b.md#some-heading), [code](../src/core), `[no](link)`\n",
        "docs/b.md": "## Some `heading`\n[top](#some-heading) [web](https://example.org/x)\n",
        "ARCHITECTURE.md": "| `src/base/` | x |\n| `core` | x |\n  wire/   x\n| [`sim/`](src/sim) | y |\n",
        "sdk/c/gs.h": "#ifndef GS_H\n#define GS_H\n#endif\n",
    }
    bad = [
        (include_direction, "src/core/core.cc", '#include "wire/frame.h"\n'),
        (include_direction, "src/core/core.cc", '#include "core.h"\n'),
        (include_direction, "src/core/core.cc", '#include "proto/player.pb.h"\n'),
        (include_direction, "src/extra/x.cc", "\n"),
        (include_direction, "sdk/c/gs.h", '#pragma once\n#include "base/id.h"\n'),
        (pragma_once, "src/core/core.h", "#include <vector>\n#pragma once\n"),
        (pragma_once, "src/core/core.h", "#ifndef X\n#define X\n#endif\n"),
        (core_without_the_world, "src/core/core.cc", "#include <mutex>\n"),
        (core_without_the_world, "src/core/core.cc", "#include <sys/socket.h>\n"),
        (core_without_the_world, "src/core/core.cc", "auto t = std::chrono::steady_clock::now();\n"),
        (core_without_the_world, "src/base/id.h", "#pragma once\nauto t = time(nullptr);\n"),
        (same_on_every_machine, "src/core/core.cc", "#include <random>\n"),
        (same_on_every_machine, "src/core/core.cc", "std::unordered_map<int, int> m;\n"),
        (same_on_every_machine, "src/sim/world.cc", "std::mt19937 g;\n"),
        (no_floating_point_in_core, "src/core/core.cc", "double rating = 0;\n"),
        (fuzz_targets_have_a_corpus, "src/core/core_fuzz.cc", "\n"),
        (fuzz_targets_have_a_corpus, "tests/corpus/gone_fuzz/one", "x"),
        (links_resolve, "docs/a.md", "[gone](gone.md)\n"),
        (links_resolve, "docs/a.md", "[b](b.md#gone)\n"),
        (architecture_names_the_folders, "ARCHITECTURE.md", "| `base` | x |\n"),
        (architecture_names_the_folders, "ARCHITECTURE.md", good["ARCHITECTURE.md"] + "`src/gone/`\n"),
        (whitespace, "src/core/core.cc", "\tint x;\n"),
        (whitespace, "docs/a.md", "x \n"),
        (whitespace, "docs/a.md", "x"),
        (nothing_left_for_later, "src/core/core.cc", "// TO" "DO: later\n"),
        (short_files, "src/core/core.cc", "\n" * (LINES_MAX + 1)),
    ]
    problems = []
    for check in RULES:
        tree = Tree(dict(good))
        check(tree)
        problems += [f"{check.__name__} refuses what is right: {e}" for e in tree.errors + tree.warnings]
        if check not in [row[0] for row in bad]:
            problems.append(f"{check.__name__} has no row that makes it fail")
    for check, path, text in bad:
        tree = Tree({**good, path: text})
        check(tree)
        if not any(found.startswith(f"{path.rstrip('/')}:") or path.startswith(found.split(":")[0])
                   for found in tree.errors + tree.warnings):
            problems.append(f"{check.__name__} accepts {path} = {text[:60]!r}")
    for problem in problems:
        print(problem)
    print(f"tidy: {len(RULES)} rules, {len(bad)} ways to break them, {len(problems)} not noticed")
    return 1 if problems else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("--rules", action="store_true", help="list the rules")
    arguments = parser.parse_args()
    os.chdir(pathlib.Path(__file__).resolve().parent.parent)
    if arguments.self_test:
        sys.exit(self_test())
    if arguments.rules:
        for check in RULES:
            print(f"{check.__name__}: {check.__doc__}")
        return
    tree = read_tree()
    for check in RULES:
        check(tree)
    for line in tree.warnings + tree.errors:
        print(line)
    print(f"tidy: {len(tree.files)} files, {len(RULES)} rules, {len(tree.errors)} errors")
    sys.exit(1 if tree.errors else 0)


if __name__ == "__main__":
    main()
