"""Texts per second of Sentence Transformers, for comparison with Logwright's sentence encoder.

    pip install torch sentence-transformers==5.1.2
    NT=2 python benches/peers/sentence_transformers.py FOLDER TEXTS.json

FOLDER holds config.json, tokenizer.json and model.safetensors of all-MiniLM-L6-v2, as `logwright model pull minilm` leaves them.
Batches of 32, sorted by length, as is its default; loading is not timed; the median of three rounds.
"""

import json
import os
import resource
import sys
import time

# This file has the package's name: without its folder on the path, Python finds the package.
sys.path.pop(0)
os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from sentence_transformers import SentenceTransformer, models
from transformers import PreTrainedTokenizerFast


def main() -> None:
    folder, path = sys.argv[1:3]
    torch.set_num_threads(int(os.environ.get("NT", "2")))
    with open(path, encoding="utf-8") as file:
        texts = json.load(file)
    transformer = models.Transformer(folder, max_seq_length=256)
    transformer.tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=f"{folder}/tokenizer.json", unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]", model_max_length=512, model_input_names=["input_ids", "token_type_ids", "attention_mask"])
    encoder = SentenceTransformer(modules=[transformer, models.Pooling(384), models.Normalize()], device="cpu")
    encoder.encode(texts[:64], batch_size=32)
    rates = []
    for _ in range(3):
        started = time.perf_counter()
        encoder.encode(texts, batch_size=32, show_progress_bar=False)
        rates.append(len(texts) / (time.perf_counter() - started))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"texts_s": sorted(rates)[1], "rss_mib": memory}))


if __name__ == "__main__":
    main()
