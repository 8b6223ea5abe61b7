"""`make bench`: every benchmark, as Markdown tables. Takes about fifteen minutes."""

from tests.bench import argon_share, endpoints, servers

for benchmark in (argon_share, endpoints, servers):
    benchmark.main()
