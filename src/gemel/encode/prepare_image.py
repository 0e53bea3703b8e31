"""Images to arrays (placeholder during construction)."""
class ImagePrepare:
    modality = "image"
