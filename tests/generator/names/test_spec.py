import pytest

from mien.core.errors import InputError
from mien.generator.names.spec import Alias, Name, Vocabulary, vocabulary_from

WORDS = Vocabulary(
    (
        Name("age", "age", unit="years", low=10.0, high=80.0, words=(("old", 72.0),)),
        Name("hair", "cut", "choice", choices=("bob", "long straight"), moves=("hair",)),
        Name("clothes", "colour", "colour", moves=("clothes",)),
        Name("grey", "grey strands", moves=("hair",)),
    ),
    (Alias("hair_colour", "colours", (("white", (("grey", 1.0),)),)),),
)


def test_values_of_every_kind() -> None:
    found = WORDS.parse(["Age = 70", "hair=Long-Straight", "clothes=navy", "hair-colour=white"])
    assert found == {"age": 70.0, "hair": "long straight", "clothes": "#000080", "grey": 1.0}
    assert WORDS.parse(["age=old", "clothes=#203050"]) == {"age": 72.0, "clothes": "#203050"}
    assert WORDS.check(found) == found


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("agee=3", "The name agee is not known. Did you mean age?"),
        ("mood=3", r"The name mood is not known\. .*Known are age, hair, clothes, grey, hair_colour"),
        ("age=90", "age=90 is out of range; give a number from 10 to 80 years."),
        ("age=nan", "out of range"),
        ("age=olt", "age=olt is not known. Did you mean old?"),
        ("grey=lots", "grey=lots is no number; give a number from 0 to 1."),
        ("hair=bop", "Did you mean bob"),
        ("clothes=nave", "clothes=nave is no colour"),
        ("age", "'age' names nothing"),
        ("=3", "names nothing"),
        ("hair_colour=pink", "Known are white"),
    ],
)
def test_what_is_not_known_is_said(text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        WORDS.parse([text])


def test_a_second_value_is_refused() -> None:
    with pytest.raises(InputError, match="gives grey a second value"):
        WORDS.parse(["grey=0.2", "hair_colour=white"])


def test_every_value_can_be_listed() -> None:
    assert [name.values for name in WORDS.names] == [
        "a number from 10 to 80 years, or old",
        "bob, long straight",
        "a colour such as navy or #203050",
        "a number from 0 to 1",
    ]


def test_a_vocabulary_survives_json() -> None:
    import json
    from dataclasses import asdict

    assert vocabulary_from(json.loads(json.dumps(asdict(WORDS)))) == WORDS
