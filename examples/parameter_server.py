"""A parameter server: an actor holds the weights of a model, workers improve them at the same time.

Shows actors as shared state, handles passed to tasks, numpy arrays as arguments and results, and
``wait`` to keep every worker busy: a gradient is applied as soon as it is there, even when it was
computed from weights that are a few steps old. The model is a logistic regression on made-up data
with a known answer.
"""

import numpy as np

import thornback as ray

FEATURES = 20
ROWS = 20_000
WORKERS = 4
STEPS = 200


@ray.remote
class ParameterServer:
    """Holds the weights."""

    def __init__(self, size, rate):
        self.weights = np.zeros(size)
        self.rate = rate

    def weights_now(self):
        """Return the weights as they are now."""
        return self.weights

    def apply(self, gradient):
        """Take one step down the gradient."""
        # A new array: the old one may still be on its way to a worker.
        self.weights = self.weights - self.rate * gradient


@ray.remote
class Worker:
    """Holds its own part of the data, made where it is used."""

    def __init__(self, number, truth):
        self.rng = np.random.default_rng(number)
        self.data = self.rng.standard_normal((ROWS, len(truth)))
        chance = 1 / (1 + np.exp(-self.data @ truth))
        self.hit = self.rng.random(ROWS) < chance

    def gradient(self, weights):
        """Return the gradient at these weights on a random part of the own data."""
        batch = self.rng.choice(ROWS, size=512, replace=False)
        data, hit = self.data[batch], self.hit[batch]
        return data.T @ (1 / (1 + np.exp(-data @ weights)) - hit) / len(batch)


def main() -> None:
    ray.init()
    truth = np.random.default_rng(42).standard_normal(FEATURES)
    server = ParameterServer.remote(FEATURES, rate=0.5)
    workers = [Worker.remote(number, truth) for number in range(WORKERS)]

    # The weights go from the server to the worker and the gradient back to the server by
    # reference: this process never sees them.
    running = {w.gradient.remote(server.weights_now.remote()): w for w in workers}
    for step in range(1, STEPS + 1):
        (ready,), _ = ray.wait(list(running))
        worker = running.pop(ready)
        server.apply.remote(ready)
        running[worker.gradient.remote(server.weights_now.remote())] = worker
        if step % 40 == 0:
            weights = ray.get(server.weights_now.remote())
            error = np.linalg.norm(weights - truth) / np.linalg.norm(truth)
            print(f"step {step:3}: {error:6.1%} away from the true weights")


if __name__ == "__main__":
    main()
