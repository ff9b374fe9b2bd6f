"""A mien-base avatar from anywhere: the photo's camera gives the photo, and other cameras something else."""

import torch

from mien.animation.drive import Puppet
from mien.animation.kinds.base import BaseViewer
from mien.animation.viewer import Viewer
from mien.core.arkit import ARKIT_INDEX
from mien.core.camera import Camera


def test_the_photos_camera_sees_the_photo(puppet: Puppet) -> None:
    viewer, avatar = BaseViewer(puppet), puppet.avatar
    assert isinstance(viewer, Viewer)
    height, width = avatar.photo.shape[:2]
    seen = viewer.see(viewer.face.camera, viewer.face.expression, (height, width))
    assert seen.rgb.shape == (height, width, 3)
    inside = (avatar.alpha > 250) & (seen.alpha > 0.99)
    assert inside.float().mean() > 0.2
    off = (seen.rgb - avatar.photo.float() / 255).abs()[inside]
    assert off.mean() < 0.02
    assert (seen.rgb <= seen.alpha[..., None] + 1e-4).all()
    assert seen.distance is not None
    known = inside & (seen.distance > 0)  # the chest is the photo's own, without a surface
    assert known.sum() > 0.3 * inside.sum()
    eye = viewer.face.camera.position.norm()  # the head is around the origin
    assert ((seen.distance[known] - eye).abs() < 0.6).all()


def test_the_frame_may_be_of_any_size(puppet: Puppet) -> None:
    viewer = BaseViewer(puppet)
    height, width = puppet.avatar.photo.shape[:2]
    large, small = (
        viewer.see(viewer.face.camera, viewer.face.expression, (height // k, width // k)) for k in (1, 2)
    )
    halved = torch.nn.functional.avg_pool2d(large.alpha[None], 2)[0]
    assert (halved - small.alpha).abs().mean() < 0.01


def test_expression_and_camera_show(puppet: Puppet) -> None:
    viewer, size = BaseViewer(puppet), (96, 96)
    still = viewer.see(viewer.face.camera, viewer.face.expression, size)
    speaking = viewer.face.expression.clone()
    speaking[ARKIT_INDEX["jawOpen"]] = 0.8
    spoken = viewer.see(viewer.face.camera, speaking, size)
    assert 0.001 < (spoken.rgb - still.rgb).abs().mean() < 0.1
    T = viewer.face.camera.T_world_camera.clone()
    T[:3, 3] *= 1.5
    far = viewer.see(Camera(T, viewer.face.camera.intrinsics), viewer.face.expression, size)
    assert far.alpha.mean() < 0.8 * still.alpha.mean()
