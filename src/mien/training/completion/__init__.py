"""Training of the network that completes heads over the chart, see `mien.generator.completion`."""
