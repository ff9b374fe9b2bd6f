from mien.core.arkit import ARKIT_INDEX, ARKIT_NAMES


def test_there_are_52_names_once_each_from_eye_to_tongue() -> None:
    assert len(ARKIT_NAMES) == len(set(ARKIT_NAMES)) == 52
    assert ARKIT_NAMES[0] == "eyeBlinkLeft"
    assert ARKIT_NAMES[-1] == "tongueOut"
    assert all(ARKIT_NAMES[index] == name for name, index in ARKIT_INDEX.items())


def test_sides_come_in_pairs() -> None:
    for name in ARKIT_NAMES:
        for side, other in (("Left", "Right"), ("Right", "Left")):
            if name.endswith(side):
                assert name.removesuffix(side) + other in ARKIT_INDEX
