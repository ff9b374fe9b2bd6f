import torch

from mien.generator.shellmarch import HairTrace
from mien.inversion.swatches import surface_points


def test_rays_meet_hair_at_the_mean_of_their_samples_also_where_u_wraps() -> None:
    weight = torch.tensor([[0.2, 0.6, 0.0], [0.3, 0.3, 0.0]])
    planes = torch.tensor(
        [
            [[0.1, 0.2, 0.3], [0.3, 0.4, 0.5], [9.0, 9.0, 9.0]],
            [[0.98, 0.0, 0.0], [-0.98, 0.2, 0.0], [9.0] * 3],
        ]
    )
    trace = HairTrace(weight, planes, weight.sum(1), planes[:, 1])
    found = surface_points(trace)
    torch.testing.assert_close(found[0], torch.tensor([0.25, 0.35, 0.45]))
    torch.testing.assert_close(torch.remainder(found[1, 0] + 2, 2.0), torch.tensor(1.0))
    torch.testing.assert_close(found[1, 1:], torch.tensor([0.1, 0.0]))
