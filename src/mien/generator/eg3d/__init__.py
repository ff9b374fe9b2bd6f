"""EG3D's generator (Chan et al. 2022, arXiv 2112.07945).

Tri-planes from StyleGAN2, rendering in two passes, super-resolution. Written from the paper and from
facts about published checkpoints, whose state-dict layout it has.
"""
