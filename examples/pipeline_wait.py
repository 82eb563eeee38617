"""A crawler that follows links as it finds them, over a small web that is made up here.

Shows ``wait`` with a timeout in a pipeline whose work is not known in advance: each page that is
there brings new ones to fetch, a page that cannot be fetched raises where its result is asked for
and stops nobody else, and no more fetches run at a time than ``AT_ONCE``. No network is used.
"""

import random
import time
from collections import Counter, deque

import thornback as ray

PAGES = 120
AT_ONCE = 8
PATIENCE = 30.0  # seconds without any page


class NotFound(Exception):
    """There is no such page."""


@ray.remote(num_cpus=0.25)
def fetch(page):
    """Return the text of a page and its links, as slowly as a network would."""
    rng = random.Random(page)
    time.sleep(rng.uniform(0.01, 0.04))
    if page % 17 == 13:
        raise NotFound(f"page {page}")
    words = rng.choices(["ray", "task", "actor", "object", "store"], k=50)
    return " ".join(words), [rng.randrange(PAGES) for _ in range(4)]


@ray.remote(num_cpus=0.25)
def count_words(text):
    return Counter(text.split())


def crawl(first):
    """Fetch every page that can be reached from `first`; return word counts and dead links."""
    frontier, seen = deque([first]), {first}
    fetching, counts, dead = {}, [], []
    while frontier or fetching:
        while frontier and len(fetching) < AT_ONCE:
            page = frontier.popleft()
            fetching[fetch.remote(page)] = page
        ready, _ = ray.wait(list(fetching), timeout=PATIENCE)
        if not ready:
            raise TimeoutError(f"none of {sorted(fetching.values())} came in {PATIENCE} s")
        for ref in ready:
            page = fetching.pop(ref)
            try:
                text, links = ray.get(ref)
            except NotFound:  # the task's own exception, raised here
                dead.append(page)
                continue
            counts.append(count_words.remote(text))  # goes on while further pages are fetched
            new = set(links) - seen
            seen |= new
            frontier.extend(sorted(new))
    return sum(ray.get(counts), Counter()), dead


def main() -> None:
    ray.init()
    words, dead = crawl(0)
    print(f"{sum(words.values()) // 50} pages, {len(dead)} dead links: {sorted(dead)}")
    for word, times in words.most_common():
        print(f"{times:6} {word}")


if __name__ == "__main__":
    main()
