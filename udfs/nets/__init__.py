"""Networks: torch modules or ONNX sessions, readable beside their papers."""
