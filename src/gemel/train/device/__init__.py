"""Encoders as one ONNX file each, with their preprocessing, for what has ONNX Runtime alone."""
