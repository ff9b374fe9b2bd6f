"""`mien mesh`: a person as a coloured mesh."""

from pathlib import Path

import click

from mien.apps.options import (
    DeviceChoice,
    device_option,
    effort_option,
    face_option,
    model_option,
    seed_option,
    truncation_option,
)


@click.command()
@click.argument("source", type=click.Path(path_type=Path), required=False)
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True,
              help="Mesh to write: .glb or .ply, in metres, y up, looking along +z.")  # fmt: skip
@click.option("--picture", type=click.Path(path_type=Path),
              help="Also write a sheet: the person from five yaws, the mesh, its normals.")  # fmt: skip
@click.option("--resolution", type=click.IntRange(64, 512), default=256, show_default=True,
              help="How finely the surface is cut.")  # fmt: skip
@click.option("--neutral", is_flag=True, help="The face at rest instead of the photo's expression.")
@click.option("--level", type=float, default=10.0, show_default=True,
              help="EG3D models: density at which the surface lies.")  # fmt: skip
@click.option("--all-parts", is_flag=True, help="EG3D models: keep loose parts and background too.")
@truncation_option
@face_option
@model_option
@effort_option
@device_option
@seed_option
def command(
    source: Path | None, output: Path, picture: Path | None, resolution: int, neutral: bool, level: float,
    all_parts: bool, truncation: float, face: str, model: Path | None, effort: str,
    device: DeviceChoice, seed: int,
) -> None:  # fmt: skip
    """Write the person of SOURCE (a photo, or an avatar made by `mien invert`) as a coloured mesh.

    Without SOURCE it is a random person of the generator, chosen by --seed: the first of `mien sample`.
    """
    from mien.apps.sitters import open_sitter
    from mien.generator.view import MeshConfig
    from mien.pipeline import check_mesh, forget_inversion, kept_folder, write_sitter_mesh

    check_mesh(output, *([source] if source else []), picture=picture)
    sitter = open_sitter(
        source, face=face, model=model, device=device, seed=seed, truncation=truncation,
        kept=kept_folder(output), effort=effort, plain=True,
    )  # fmt: skip
    config = MeshConfig(resolution, level=level, largest_only=not all_parts, neutral=neutral)
    mesh = write_sitter_mesh(sitter, output, config, picture=picture)
    forget_inversion(output)
    click.echo(f"{output}: {len(mesh.vertices)} vertices, {len(mesh.faces)} triangles")
