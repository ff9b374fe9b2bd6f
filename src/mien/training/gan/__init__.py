"""Adversarial training of EG3D generators from photos with cameras (Chan et al. 2022, arXiv 2112.07945).

Everything random is drawn from the seed, the step and the place of the pictures in the batch, so a run gives
the same result interrupted or not, in one process or in several.
"""
