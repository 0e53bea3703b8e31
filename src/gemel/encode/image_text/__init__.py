"""Pictures and texts in one space: a payload is the bytes of an image file, or a str."""
