"""The first program: a function that runs as tasks, and a class that lives as an actor."""

import thornback as ray


@ray.remote
def f(x):
    return x + 1


@ray.remote
class Counter:
    """Lives in a process of its own and remembers."""

    def __init__(self):
        self.n = 0

    def add(self, k):
        """Add to the number and return it."""
        self.n += k
        return self.n


def main() -> None:
    ray.init()  # optional: the first .remote() does it
    refs = [f.remote(i) for i in range(4)]  # returns at once, with references to the results
    print("four tasks:", ray.get(refs))

    counter = Counter.remote()
    print("one call:", ray.get(counter.add.remote(2)))
    # Calls from one caller run in the order in which they were made.
    print("three more:", ray.get([counter.add.remote(k) for k in (10, 20, 30)]))


if __name__ == "__main__":
    main()
