"""One module for each command of `mien`; loaded only when the command runs."""
