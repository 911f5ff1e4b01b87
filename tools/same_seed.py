#!/usr/bin/env python3
"""`./dev seeds`: the same seeds give the same history whatever compiled the core.

Builds both simulators, of faults and of populations, with g++ -O0, g++ -O3 and clang -O2, each in a folder of
its own, and compares the digests they print. A difference names the seed and who says what.
"""

import argparse
import concurrent.futures
import pathlib
import subprocess
import sys

COMPILERS = {
    "gcc-O0": ("gcc-12", "g++-12", "-O0"),
    # Of g++ 12 with -O3, these two warn of what is not so, in the headers of its library and of fmt.
    "gcc-O3": ("gcc-12", "g++-12", "-O3 -Wno-restrict -Wno-stringop-overflow"),
    "clang-O2": ("clang-19", "clang++-19", "-O2"),
}
PROGRAMS = ("muster_sim_digests", "muster_population_digests")


def build(name, jobs):
    c, cxx, optimise = COMPILERS[name]
    folder = pathlib.Path("build") / f"seeds-{name}"
    if not (folder / "build.ninja").exists():
        configure = ["cmake", "-S", ".", "-B", str(folder), "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                     f"-DCMAKE_C_COMPILER={c}", f"-DCMAKE_CXX_COMPILER={cxx}",
                     f"-DCMAKE_CXX_FLAGS_RELEASE={optimise}", f"-DCMAKE_C_FLAGS_RELEASE={optimise}",
                     "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache", "-DCMAKE_C_COMPILER_LAUNCHER=ccache",
                     "-DCMAKE_EXE_LINKER_FLAGS=-fuse-ld=mold"]
        run = subprocess.run(configure, capture_output=True, text=True)
        if run.returncode != 0:
            sys.exit(f"{' '.join(configure)} failed:\n{run.stdout}{run.stderr}")
    subprocess.run(["ninja", "-C", str(folder), "-j", str(jobs), *PROGRAMS], check=True, stdout=sys.stderr)
    return folder


def digests(program, first, count):
    """Seed -> digest, as the program prints them."""
    run = subprocess.run([str(program), str(first), str(count)], capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"{program} {first} {count} failed:\n{run.stdout}{run.stderr}")
    found = {}
    for line in run.stdout.splitlines():
        words = line.split()
        if len(words) == 4 and words[0] == "seed" and words[2] == "digest":
            found[int(words[1])] = words[3]
    if len(found) != count:
        sys.exit(f"{program} printed {len(found)} digests, not {count}:\n{run.stdout[:2000]}")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1, help="the first")
    parser.add_argument("--seeds", type=int, default=50, help="so many")
    arguments = parser.parse_args()

    folders = {name: build(name, arguments.jobs) for name in COMPILERS}
    different = 0
    for program in PROGRAMS:
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            runs = {name: pool.submit(digests, folder / program, arguments.seed, arguments.seeds)
                    for name, folder in folders.items()}
            results = {name: run.result() for name, run in runs.items()}
        for seed in range(arguments.seed, arguments.seed + arguments.seeds):
            said = {name: result[seed] for name, result in results.items()}
            if len(set(said.values())) > 1:
                different += 1
                print(f"{program}, seed {seed}: "
                      + ", ".join(f"{name} {digest}" for name, digest in said.items()))
    print(f"{arguments.seeds} seeds of {len(PROGRAMS)} simulators, {len(COMPILERS)} compilers' code, "
          f"{different} differences")
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
