"""Images as a modality: the bytes of image files."""
