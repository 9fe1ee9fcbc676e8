"""ONNX graphs, run by onnxruntime: scores, what inner tensors hold, and gradients where they have a closed form."""
