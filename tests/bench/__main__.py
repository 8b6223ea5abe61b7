"""`make bench`: every benchmark, as Markdown tables. Takes about twenty minutes."""

from tests.bench import argon_share, endpoints, flood, limiter, servers, sessions, tree

for benchmark in (argon_share, endpoints, sessions, servers):
    benchmark.main()
limiter.main([])
flood.main()
tree.main([])
