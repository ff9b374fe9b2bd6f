"""EG3D's generator (Chan et al. 2022, arXiv 2112.07945): tri-planes from StyleGAN2, two-pass rendering, super-resolution.

Written from the paper and from facts about published checkpoints, whose state-dict layout it has.
"""
