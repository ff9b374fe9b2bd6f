"""Settings of the completion's training; saved with a run, so that it goes on as it began."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CompletionTraining:
    """Length, weights and augmentation."""

    minutes: float = 60.0
    """Wall-clock length of the learning-rate schedule."""
    batch: int = 4
    lr: float = 1e-3
    held_out: int = 40
    """Heads at the end of the set that training never sees."""
    w_noise: float = 0.5
    """Noise on the codes, in standard deviations: a photo's w is not the head's own."""
    no_evidence: float = 0.1
    """Share of examples that show nothing: the network draws random people, too."""
    colour_shift: float = 0.7
    """Share of the other examples whose body and hair get colours that procedural heads have not."""
    hue_spread: float = 0.5
    """Standard deviation of those shifts in each of red, green and blue, logits."""
    light_spread: float = 0.5
    """Standard deviation of a shift of all three together, on top."""
    copies: int = 1
    """Shifts over the chart drawn for each view, where all examples are in memory."""
    seen_weight: float = 0.2
    """Weight of what is seen beside what is hidden."""
    edges: float = 1.0
    """Weight of the costs of differences between neighbouring texels."""
    height: float = 2.0
    adversarial: float = 0.0
    """Weight of the critic's opinion; 0 trains without one."""
    critic_after: float = 0.35
    """Share of the schedule after which the critic learns."""
    critic_counts_after: float = 0.4
    """Share of the schedule after which its opinion counts."""
    r1: float = 1.0
    """Weight of the gradient penalty on real maps (Mescheder et al. 2018), every `r1_every` steps."""
    r1_every: int = 8
    half: bool = True
    """Convolutions in bfloat16, where that is fast."""
    average: float = 0.0
    """Of the weights over steps (exponential moving average); 0 takes the last ones."""
    checkpoint_every_s: float = 240.0
    score_every: int = 150
    """Steps between two looks at the heads held out."""
    seed: int = 0
