"""Pretrained networks that training starts from, or that become releases as they are.

A modality says how one is opened (`Trainable.on`). Weights come from a folder or a hub; what is
served is the ONNX export, so that only training needs the library they are written in.
"""
