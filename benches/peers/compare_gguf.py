"""Compares two GGUF files: what their metadata say otherwise, and how many tensors are the same to the byte.

    pip install gguf==0.19.0 numpy
    logwright train export RUN --to merged --out merged && logwright train export RUN --to gguf --format f32 --out ours.gguf
    python convert_hf_to_gguf.py merged --outtype f32 --outfile theirs.gguf        # llama.cpp's own
    python benches/peers/compare_gguf.py ours.gguf theirs.gguf
"""

import sys

import gguf
import numpy as np

ours, theirs = (gguf.GGUFReader(path) for path in sys.argv[1:3])
fields = [{name: field.contents() for name, field in reader.fields.items()} for reader in (ours, theirs)]
for name in sorted(set(fields[0]) | set(fields[1])):
    a, b = (side.get(name, "(absent)") for side in fields)
    if a != b and not name.startswith("GGUF."):
        print(f"{name}: {str(a)[:80]} | {str(b)[:80]}")

tensors = [{tensor.name: tensor for tensor in reader.tensors} for reader in (ours, theirs)]
print("in one alone:", sorted(set(tensors[0]) ^ set(tensors[1])) or "none")
both = sorted(set(tensors[0]) & set(tensors[1]))
alike = [a.tensor_type == b.tensor_type and np.array_equal(a.data, b.data) for a, b in ((tensors[0][n], tensors[1][n]) for n in both)]
print(f"{sum(alike)} of {len(both)} tensors are the same to the byte", [n for n, same in zip(both, alike) if not same][:10])
