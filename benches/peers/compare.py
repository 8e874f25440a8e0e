"""Training steps of several programs in turn, and how far the first is from the best of the others.

    python3 compare.py --threads 1,2 --seconds 0.6 --rounds 5 barrage=PROGRAM 'torch=PYTHON pytorch_steps.py eager' …

Each program prints `ready`, then answers each line `WORKLOAD SECONDS` with `WORKLOAD steps_per_second …`; the environment
variable `T` tells it how many threads to use. Programs stay alive and are asked one after the other, so that whatever
else the machine does hits all of them; ratios are of medians. With one thread the figure is the processor time of a
step, which other processes hardly change; with more it is steps per second of wall clock, over samples during which
other processes took little. Prints tables in Markdown. Linux only: it reads /proc.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time

TICK = os.sysconf("SC_CLK_TCK")
# A sample is quiet when other processes took less than this part of one core.
QUIET = 0.15
WORKLOADS = "F,A32,A128,B,C8,D,E"
# How many times as fast as the best other each workload is meant to be.
WANTED = {"F": 30, "A32": 1.3, "A128": 1.5, "B": 1.3, "C8": 1.4, "D": 1.4, "E": 1.3}


def busy():
    """Seconds that all processors have worked."""
    with open("/proc/stat") as file:
        fields = [int(field) for field in file.readline().split()[1:]]
    return (sum(fields[:3]) + sum(fields[5:8])) / TICK


class Program:
    """A program that is asked again and again."""

    def __init__(self, name, command, threads):
        self.name = name
        environment = {**os.environ, "T": str(threads)}
        self.process = subprocess.Popen(
            command.split(), env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, bufsize=1,
        )
        while (line := self.process.stdout.readline()) and line.strip() != "ready":
            pass
        self.alive = bool(line)

    def processor_seconds(self):
        try:
            with open(f"/proc/{self.process.pid}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / TICK
        except OSError:
            return 0.0

    def peak_megabytes(self):
        try:
            with open(f"/proc/{self.process.pid}/status") as file:
                return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM"))
        except (OSError, StopIteration):
            return 0.0

    def ask(self, workload, seconds):
        """Steps per second, processor seconds per step, and the cores that others used; None without an answer."""
        if not self.alive:
            return None
        others, own, start = busy(), self.processor_seconds(), time.time()
        self.process.stdin.write(f"{workload} {seconds}\n")
        self.process.stdin.flush()
        while line := self.process.stdout.readline():
            words = line.split()
            if words and words[0] == workload:
                rate, spent = float(words[1]), time.time() - start
                own = self.processor_seconds() - own
                others = busy() - others - own
                if not rate > 0:
                    print(f"{self.name}: {line.strip()}", file=sys.stderr)
                    return None
                return rate, own / spent / rate, others / spent
        self.alive = False
        return None


def measure(options, threads):
    """Prints the table for so many threads, a row as soon as it is known."""
    programs = [Program(*command.split("=", 1), threads) for command in options.programs]
    for program in programs:
        if not program.alive:
            print(f"{program.name} does not start", file=sys.stderr)
    what = "processor time, 1 thread" if threads == 1 else f"wall clock, {threads} threads"
    print(f"\nMilliseconds of a step, {what}\n")
    names = [program.name for program in programs]
    print("| | " + " | ".join(names) + " | faster than the best other | wanted | quiet samples |")
    print("|---" * (len(names) + 4) + "|", flush=True)
    for workload in options.workloads.split(","):
        samples = {program.name: [] for program in programs}
        # The first question builds the model, and compiles it.
        for program in programs:
            program.ask(workload, 0.2)
        for _ in range(options.rounds):
            for program in programs:
                if sample := program.ask(workload, options.seconds):
                    samples[program.name].append(sample)
        show(workload, samples, threads)
    for program in programs:
        program.process.stdin.close()
        program.process.wait()


def figure(samples, threads):
    """The time of a step in milliseconds: of processors with one thread, of the clock with several."""
    if not samples:
        return None
    if threads == 1:
        return statistics.median(cpu for _, cpu, _ in samples) * 1e3
    quiet = [sample for sample in samples if sample[2] < QUIET]
    # Without quiet samples, those least disturbed.
    chosen = quiet if len(quiet) > 1 else sorted(samples, key=lambda sample: sample[2])[: max(2, len(samples) // 2)]
    return 1e3 / statistics.median(rate for rate, _, _ in chosen)


def show(workload, samples, threads):
    figures = {name: figure(own, threads) for name, own in samples.items()}
    first, *others = figures
    best = min((name for name in others if figures[name]), key=figures.get, default=None)
    ratio = "-"
    if figures[first] and best:
        ratio = f"{figures[best] / figures[first]:.2f} × ({best})"
    cells = ["-" if value is None else f"{value:.4g}" for value in figures.values()]
    total = sum(len(own) for own in samples.values())
    quiet = sum(sample[2] < QUIET for own in samples.values() for sample in own)
    cells += [ratio, f"{WANTED.get(workload, '-')}", f"{quiet} of {total}"]
    print(f"| {workload} | " + " | ".join(cells) + " |", flush=True)


def memory(options):
    """The largest resident memory of each program that has run one workload only."""
    print("\nPeak memory in MB, a process for each\n")
    names = [command.split("=", 1)[0] for command in options.programs]
    print("| | " + " | ".join(names) + " |")
    print("|---" * (len(names) + 1) + "|")
    for workload in options.memory.split(","):
        cells = []
        for command in options.programs:
            program = Program(*command.split("=", 1), 2)
            idle = program.peak_megabytes()
            answer = program.ask(workload, 1.0)
            cells.append(f"{program.peak_megabytes():.0f} (idle {idle:.0f})" if answer else "-")
            program.process.stdin.close()
            program.process.wait()
        print(f"| {workload} | " + " | ".join(cells) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--seconds", type=float, default=0.6)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workloads", default=WORKLOADS)
    parser.add_argument("--memory", default="", help="workloads whose peak memory is measured, such as B,C8")
    parser.add_argument("programs", nargs="+", metavar="NAME=COMMAND")
    options = parser.parse_args()
    for threads in map(int, filter(None, options.threads.split(","))):
        measure(options, threads)
    if options.memory:
        memory(options)


if __name__ == "__main__":
    main()
