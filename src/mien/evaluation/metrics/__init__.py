"""The metric library: one small file each, with formula, units, range and source.

| file | measures |
| --- | --- |
| `psnr` | PSNR, also within a mask |
| `ssim` | structural similarity |
| `perceptual` | distance of network features, named by the network |
| `sets` | FID and KID of sets of pictures, and `inception` their standard features |
| `csim` | cosine of identity descriptors |
| `pose` | APD in rad, geodesic angles in degrees |
| `expression` | AED over any coefficients |
| `landmarks` | NME and AKD |
| `warping` | warping error of neighbouring frames |
| `jitter` | landmark jitter and jerk |
| `sharpness` | variance of the Laplacian |
| `face_sharpness` | the same of a face in a frame against its photo, at equal size |
| `bootstrap` | intervals over clips |

All take arrays and give numbers; none looks for a face by itself.
"""
