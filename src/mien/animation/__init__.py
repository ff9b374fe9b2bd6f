"""Motion: tracking drivers, smoothing, retargeting, and playing motions on avatars."""
