"""Lines per second of Python's Drain3 on a file of messages without headers, for comparison with Logwright's Drain.

    pip install drain3==0.9.11
    python benches/peers/drain3.py MESSAGES [drain|miner]

`drain` drives the bare algorithm with LogHub's settings for BGL (similarity 0.5, depth 4), the fastest way to use it;
`miner` drives TemplateMiner with its defaults, the documented way. Reading the file is not timed.
"""

import sys
import time

# This file has the package's name: without its folder on the path, Python finds the package.
sys.path.pop(0)

from drain3 import TemplateMiner
from drain3.drain import Drain
from drain3.template_miner_config import TemplateMinerConfig


def main() -> None:
    path, kind = sys.argv[1], (sys.argv[2:] or ["drain"])[0]
    with open(path, encoding="utf-8", errors="replace") as file:
        lines = file.read().splitlines()
    if kind == "miner":
        parser = TemplateMiner(config=TemplateMinerConfig())
    else:
        parser = Drain(depth=4, sim_th=0.5, max_children=100)
    started = time.perf_counter()
    for line in lines:
        parser.add_log_message(line)
    seconds = time.perf_counter() - started
    print(f"{kind}: {len(lines)} lines in {seconds:.2f} s, {len(lines) / seconds:.0f} lines/s")


if __name__ == "__main__":
    main()
