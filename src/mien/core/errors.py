"""Named errors. Every sentence says what was found, what was expected, and what to do."""


class MienError(Exception):
    """Base of all errors raised on purpose; the command line shows the sentence and exits with 2."""

    exit_code = 2


class InputError(MienError):
    """A file or an option given by the user cannot be used."""


class NoFaceError(InputError):
    """No face, or not the face that was asked for, was found in an image."""


class AssetError(MienError):
    """A model file is missing or is not the file it should be."""


class CheckpointError(MienError):
    """A checkpoint is damaged, of another kind, or holds other tensors than expected."""


class ResumeError(MienError):
    """A job cannot continue from the state found on disk."""


class UnsafeFileError(CheckpointError):
    """A file asks for more than a checkpoint needs, or is damaged; it was read but nothing of it was run."""
