"""Reports of a correlation: points and clocks, paths and hops, and connections as ladders over all points."""
