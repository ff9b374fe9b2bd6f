"""StyleGAN2's building blocks (Karras et al. 2020, arXiv 1912.04958), with the public state-dict names."""
