import pytest
import torch

from mien.generator.names import coding
from mien.generator.names.spec import Name, Value, Vocabulary

WORDS = Vocabulary(
    (
        Name("age", "age", low=10.0, high=80.0, curved=True),
        Name("hair", "cut", "choice", choices=("bob", "afro", "bun")),
        Name("clothes", "colour", "colour"),
    )
)


@pytest.mark.parametrize(
    "values", [(33.0, "afro", "#203050"), (80.0, "bun", "#ffffff"), (10.0, "bob", "#000000")]
)
def test_values_come_back(values: tuple[Value, ...]) -> None:
    row = [x for name, value in zip(WORDS.names, values, strict=True) for x in coding.to_slots(name, value)]
    table = torch.tensor([row])
    for (name, place), value in zip(coding.slots(WORDS).items(), values, strict=True):
        assert coding.from_slots(WORDS[name], table[0, place]) == value
    found = coding.from_features(WORDS, coding.to_features(WORDS, table)[0])
    assert found["age"][0] == pytest.approx(values[0], abs=1e-4)
    assert (found["hair"][0], found["clothes"][0]) == values[1:]
    assert found["hair"][1] == 1.0


def test_features_are_scaled() -> None:
    f = coding.to_features(WORDS, torch.tensor([[10.0, 2, 0, 0.5, 1], [45.0, 0, 1, 1, 1]]))
    torch.testing.assert_close(f, torch.tensor([[-1.0, 1, 0, 0, 1, -1, 0, 1], [0.0, 0, 1, 0, 0, 1, 1, 1]]))


def test_what_is_read_stays_in_range() -> None:
    found = coding.from_features(WORDS, torch.tensor([-7.0, 0, 0.2, 0.5, 0.1, 9.0, -9.0, 0.0]))
    assert found["age"] == (10.0, 0.0)
    assert found["hair"][0] == "afro"
    assert found["hair"][1] == pytest.approx(0.3)
    assert found["clothes"][0] == "#ff0080"
