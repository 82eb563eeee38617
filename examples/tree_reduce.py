"""Add up many results in a tree: log2(n) rounds of tasks instead of one long loop.

Shows tasks whose arguments are the results of other tasks. Nothing waits in between: all tasks are
submitted at once, each starts when its two arguments are there, and only the last value comes back
to this process.
"""

import thornback as ray

LEAVES = 64


@ray.remote
def leaf(start, stop):
    """Count the primes between two numbers."""
    return sum(all(n % k for k in range(2, int(n**0.5) + 1)) for n in range(max(start, 2), stop))


@ray.remote
def add(a, b):
    return a + b


def reduce_tree(combine, refs):
    """Combine neighbours, then neighbours of the results, until one is left."""
    while len(refs) > 1:
        paired = [combine.remote(a, b) for a, b in zip(refs[::2], refs[1::2], strict=False)]
        # An odd one out goes to the next round as it is.
        refs = paired + refs[len(paired) * 2 :]
    return refs[0]


def main() -> None:
    ray.init()
    step = 1_000
    leaves = [leaf.remote(n * step, (n + 1) * step) for n in range(LEAVES)]
    total = reduce_tree(add, leaves)
    print(f"primes below {LEAVES * step:,}: {ray.get(total):,}")


if __name__ == "__main__":
    main()
