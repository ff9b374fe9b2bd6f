"""Hair, beard, brows and lashes as strands: drawn from factors, grown on a head, and seen by a camera."""
