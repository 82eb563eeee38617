"""Answer several questions in one session of an engine: the quick run saves its starts."""

from __future__ import annotations

import importlib

import harness

if __name__ == "__main__":
    options = harness.parse(nargs="+", help="names of scripts in this folder, without .py")
    harness.run(
        harness.Bench(options),
        {name: importlib.import_module(name).measure for name in options.questions},
    )
