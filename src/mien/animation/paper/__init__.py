"""Paper mode: expressions as in Lin et al. 2022, by edited renders, masked W, one tuning, and compositing."""
