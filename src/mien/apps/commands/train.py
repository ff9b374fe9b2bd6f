"""`mien train`: make generators."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from mien.apps.commands.train_covers import covers
from mien.apps.commands.train_gan import gan
from mien.apps.commands.train_glasses import glasses
from mien.apps.commands.train_image import image_encoder
from mien.apps.commands.train_parts import parts
from mien.apps.options import DeviceChoice, command_line, device_option, seed_option


@click.group(name="train")
def command() -> None:
    """Train generators: on procedural heads (prior), or on photos with cameras (gan)."""


command.add_command(gan)
command.add_command(image_encoder)
command.add_command(covers)
command.add_command(glasses)
command.add_command(parts)


@command.command()
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Folder of the set; a file for each head."
)
@click.option("--heads", type=click.IntRange(1), default=640, show_default=True, help="Heads to render.")
@click.option("--views", type=click.IntRange(1), default=4, show_default=True, help="Views of each head.")
@click.option("--threads", type=click.IntRange(1), default=2, show_default=True, help="Processes to use.")
@seed_option
def heads(out: Path, heads: int, views: int, threads: int, seed: int) -> None:
    """Render realistic procedural heads: maps over the chart, views with exact cameras, and labels.

    Interrupted, the same command goes on where it was; with more --heads it adds to the set.
    """
    from mien.training.procedural.shards import ShardConfig, build_shards  # heavy imports wait

    build_shards(out, ShardConfig(heads=heads, views=views, seed=seed), workers=threads)
    click.echo(f"{out}: {heads} heads with {views} views each")


@command.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder of the run: state, log, and at the end mien-base.safetensors.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Folder of the set of heads; rendered there if it is missing.  [default: OUT/heads]",
)
@click.option("--heads", type=click.IntRange(8), default=640, show_default=True, help="Heads to learn from.")
@click.option(
    "--minutes",
    type=click.FloatRange(0.0, min_open=True),
    default=60.0,
    show_default=True,
    help="Length of the completion's training; rendering before and fits after it come on top.",
)
@click.option(
    "--adversarial",
    type=click.FloatRange(0.0),
    default=0.0,
    show_default=True,
    help="Weight of a critic's opinion, which makes hidden hair less blurred.",
)
@click.option("--threads", type=click.IntRange(1), default=2, show_default=True, help="Threads to use.")
@seed_option
def prior(
    out: Path, data: Path | None, heads: int, minutes: float, adversarial: float, threads: int, seed: int
) -> None:
    """Make a generator of realistic procedural heads.

    Its planes come in closed form, in blocks: appearance, hair, clothes, light. Then the network is trained
    that completes what a photo hides. Interrupted, the same command goes on where it was.
    """
    from mien.training.prior import PriorPlan, train_prior  # heavy imports wait until the command runs

    plan = PriorPlan(heads=heads, minutes=minutes, adversarial=adversarial, seed=seed, threads=threads)
    done = train_prior(out, data_folder=data, plan=plan, command=command_line(), on_log=_echo)
    s = done.scores
    click.echo(
        f"{done.path}: {done.bytes / 2**20:.1f} MiB, {done.heads} heads, {done.steps} steps in "
        f"{done.hours:.2f} h; error of hidden skin {s.body} (filled "
        f"{s.body_filled}), of hidden hair {s.hair} "
        f"(filled {s.hair_filled}) of 255"
    )


@command.command()
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    help="Generator file whose network is replaced.  [default: the bundled mien-base]",
)
@click.option(
    "--data", type=click.Path(path_type=Path), required=True, help="Folder of a set of heads (train heads)."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder of the run: state, log, and at the end mien-base.safetensors.",
)
@click.option("--heads", type=click.IntRange(1), help="Heads to use, at most.  [default: all]")
@click.option("--minutes", type=click.FloatRange(0.0, min_open=True), default=60.0, show_default=True,
              help="Length of the training.")  # fmt: skip
@click.option("--stop-after", type=click.FloatRange(0.0, min_open=True),
              help="Minutes after which this call writes what it has and stops.")  # fmt: skip
@click.option("--go-on", is_flag=True, help="Start from the network in the file, not anew.")
@click.option("--batch", type=click.IntRange(1), default=16, show_default=True, help="Heads per step.")
@click.option("--widths", callback=lambda _context, _option, text: _widths(text),
              help="Channels of the network from fine to coarse, such as 64,96,128,192.  [default: as in the "
              "file]")  # fmt: skip
@click.option("--adversarial", type=click.FloatRange(0.0), default=0.0, show_default=True,
              help="Weight of a critic's opinion in the second half of the training.")  # fmt: skip
@click.option("--colour-shift", type=click.FloatRange(0.0, 1.0), default=0.7, show_default=True,
              help="Share of examples whose skin and hair get colours that no such head has.")  # fmt: skip
@click.option("--threads", type=click.IntRange(1), help="Threads of the CPU to use. [default: all cores]")
@device_option
@seed_option
def completion(
    model: Path | None, data: Path, out: Path, heads: int | None, minutes: float, stop_after: float | None,
    go_on: bool, batch: int, widths: tuple[int, ...] | None, adversarial: float, colour_shift: float,
    threads: int | None, device: DeviceChoice, seed: int,
) -> None:  # fmt: skip
    """Train the network that completes what a photo hides, of a generator that is there already.

    All heads are kept in memory, on the GPU if there is one. Nothing else in the generator's file changes.
    Interrupted, the same command goes on where it was.
    """
    from mien.core.device import resolve_device  # heavy imports wait until the command runs
    from mien.training.completion.run import SETTINGS, CompletionPlan, train_completion

    training = replace(
        SETTINGS, minutes=minutes, batch=batch, adversarial=adversarial, colour_shift=colour_shift, seed=seed
    )
    stop_after_s = float("inf") if stop_after is None else 60 * stop_after
    plan = CompletionPlan(training, widths, go_on, heads, stop_after_s, resolve_device(device), threads)
    done = train_completion(out, data, model=model, plan=plan, command=command_line(), on_log=_echo)
    for name, s in done.scores.items():
        click.echo(
            f"held out{name.replace('_', ', ')}: error of hidden skin {s.body} (filled {s.body_filled}), of "
            f"hidden hair {s.hair} (filled {s.hair_filled}) of 255, grain of hair {s.texture}"
        )
    click.echo(
        f"{done.path}: {done.bytes / 1e6:.1f} MB, {done.heads} heads, {done.steps} steps, {done.hours:.2f} h"
        + ("" if done.finished else "; not finished: give the same command again to go on")
    )


@command.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder of the run: what the tracker saw, and at the end face_encoder.safetensors.",
)
@click.option(
    "--data", type=click.Path(path_type=Path), required=True, help="Folder of a set of heads (train heads)."
)
@click.option("--heads", type=click.IntRange(40), default=1000, show_default=True, help="Heads, at most.")
@seed_option
def encoder(out: Path, data: Path, heads: int, seed: int) -> None:
    """Learn what the face tracker's answers mean: pose, expression, identity, places of the points.

    Views of the heads become random photos, the tracker looks at them, and regression finds the truth in what
    it says. Interrupted, the same command goes on where it was.
    """
    from mien.training.encoder.examples import ExampleConfig  # heavy imports wait
    from mien.training.encoder.run import EncoderPlan, train_encoder

    plan = EncoderPlan(heads=heads, examples=ExampleConfig(seed=seed))
    done = train_encoder(out, data, plan=plan, command=command_line())
    s = done.scores
    click.echo(
        f"{done.path}: {done.bytes / 2**20:.2f} MiB; on {s.heads} other heads: rotation {s.rotation_deg} "
        f"degrees, form {s.landmarks_mm} mm (mean head {s.landmarks_mm_mean}), expression {s.expression} "
        f"(mean {s.expression_mean})"
    )


def _widths(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    words = text.split(",")
    if len(words) < 2 or not all(word.strip().isdecimal() and int(word) > 0 for word in words):
        raise click.BadParameter(f"{text!r} is no list of channels; give two or more, such as 64,96,128,192.")
    return tuple(int(word) for word in words)


def _echo(row: dict[str, Any]) -> None:
    costs = ", ".join(f"{k} {v:.4f}" for k, v in row.items() if isinstance(v, float) and k != "minutes")
    click.echo(f"step {row['step']}, {row['minutes']} min: {costs}", err=True)
