"""Official EG3D checkpoints, read without running anything that is in them.

`machine` interprets pickle opcodes with inert values, `allowed` says which names a file may mention,
`streams`, `zipped` and `flat` find the tensors' bytes, `source` opens a file of any of these kinds,
`objects` turns the pickled modules into a flat state dict, `presets` tells what a bare state dict does not
say, `importing` checks everything and writes safetensors, `library` keeps the folder of imported models.
"""
