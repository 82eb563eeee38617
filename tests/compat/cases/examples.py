# Well-known programs of Ray's documentation.

# == parameter_server ==
import numpy as np
start(num_cpus=4)

@ray.remote
class ParameterServer:
    def __init__(self, dim):
        self.parameters = np.zeros(dim)

    def get_parameters(self):
        return self.parameters

    def apply_gradients(self, *gradients):
        self.parameters = self.parameters + np.mean(gradients, axis=0)
        return self.parameters

@ray.remote
class Worker:
    def __init__(self, seed):
        self.target = np.arange(10.0)
        self.seed = seed

    def compute_gradient(self, parameters):
        return (self.target - parameters) * 0.5 + self.seed * 0.0

server = ParameterServer.remote(10)
workers = [Worker.remote(i) for i in range(3)]
parameters = server.get_parameters.remote()
for _ in range(20):
    gradients = [w.compute_gradient.remote(parameters) for w in workers]
    parameters = server.apply_gradients.remote(*gradients)
show("synchronous", np.round(ray.get(parameters), 4).tolist())
pending = {w.compute_gradient.remote(parameters): w for w in workers}
for _ in range(9):
    (ready,), _ = ray.wait(list(pending))
    worker = pending.pop(ready)
    parameters = server.apply_gradients.remote(ready)
    pending[worker.compute_gradient.remote(parameters)] = worker
show("asynchronous", np.round(ray.get(server.get_parameters.remote()), 2).tolist())

# == tree_reduce ==
start(num_cpus=4)

@ray.remote
def aggregate(x, y):
    return x + y

@ray.remote
def work(i):
    return i * i

values = [work.remote(i) for i in range(37)]
while len(values) > 1:
    values = values[2:] + [aggregate.remote(values[0], values[1])]
show("sum", ray.get(values[0]), sum(i * i for i in range(37)))

# == crawler ==
# A pipeline: pages are fetched by tasks, parsed by actors, and found links fetched in turn.
start(num_cpus=4)

PAGES = {i: [(3 * i + k) % 50 for k in range(1, 4)] for i in range(50)}

@ray.remote
def fetch(url):
    if url == 13:
        raise ConnectionError(f"no answer from {url}")
    return url, PAGES[url]

@ray.remote
class Parser:
    def __init__(self):
        self.parsed = 0

    def parse(self, page):
        self.parsed += 1
        url, links = page
        return url, sorted(links)

    def count(self):
        return self.parsed

parsers = [Parser.remote() for _ in range(2)]
seen, failed, parsed = {0}, [], {}
fetching, parsing = {fetch.remote(0): 0}, []
turn = 0
while fetching or parsing:
    ready, _ = ray.wait([*fetching, *parsing], num_returns=1)
    for ref in ready:
        if ref in fetching:
            url = fetching.pop(ref)
            parsing.append(parsers[turn % 2].parse.remote(ref))
            turn += 1
            continue
        parsing.remove(ref)
        try:
            url, links = ray.get(ref)
        except ConnectionError as error:
            failed.append(str(error.cause))
            continue
        parsed[url] = links
        for link in links:
            if link not in seen:
                seen.add(link)
                fetching[fetch.remote(link)] = link
show("pages", len(parsed), len(seen), failed)
show("links", sum(map(sum, parsed.values())))
show("by parsers", sum(ray.get([p.count.remote() for p in parsers])))

# == monte_carlo_pi ==
import random
start(num_cpus=2)

@ray.remote
class Progress:
    def __init__(self, total):
        self.total, self.done = total, {}

    def report(self, task, n):
        self.done[task] = n

    def progress(self):
        return sum(self.done.values()) / self.total

@ray.remote
def sample(n, task, progress):
    rng = random.Random(task)
    inside = 0
    for i in range(n):
        if rng.random() ** 2 + rng.random() ** 2 <= 1:
            inside += 1
        if (i + 1) % 1000 == 0:
            progress.report.remote(task, i + 1)
    return inside

progress = Progress.remote(4 * 5000)
counts = ray.get([sample.remote(5000, i, progress) for i in range(4)])
show("pi", 4 * sum(counts) / 20_000)
show("progress", until(lambda: ray.get(progress.progress.remote()) == 1.0))

# == map_reduce ==
start(num_cpus=2)
TEXT = "the quick brown fox jumps over the lazy dog the end".split()

@ray.remote
def mapper(words, n):
    parts = [[] for _ in range(n)]
    for word in words:
        parts[len(word) % n].append((word, 1))
    return parts

@ray.remote
def reducer(*parts):
    counts = {}
    for part in parts:
        for word, one in part:
            counts[word] = counts.get(word, 0) + one
    return counts

maps = [mapper.options(num_returns=3).remote(TEXT[i::2], 3) for i in range(2)]
counts = {}
for i in range(3):
    counts.update(ray.get(reducer.remote(*[m[i] for m in maps])))
show("counts", sorted(counts.items()))
