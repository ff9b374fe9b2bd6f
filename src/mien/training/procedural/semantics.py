"""What a pixel shows."""

from enum import IntEnum


class Semantic(IntEnum):
    """Classes of the semantic map."""

    BACKGROUND = 0
    SKIN = 1
    LIPS = 2
    SCLERA = 3
    IRIS = 4
    PUPIL = 5
    TEETH = 6
    GUMS = 7
    TONGUE = 8
    MOUTH = 9
    CLOTHES = 10
    HAIR = 11
    BEARD = 12
    BROW = 13
    LASH = 14
    GLASSES = 15
    LENS = 16
