"""PyTorch + PEFT on a GPU: forward and backward of LoRA, rank 8 on all linears, in bfloat16, flash or memory-efficient attention as
PyTorch chooses. Usage: peft_gpu.py MODEL_FOLDER BATCH LENGTH STEPS; prints tokens a second, median without the first two steps."""

import json
import statistics
import sys
import time

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

folder, batch, length, steps = sys.argv[1], *map(int, sys.argv[2:])
torch.manual_seed(0)
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16, attn_implementation="sdpa").cuda()
linears = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
model = get_peft_model(model, LoraConfig(r=8, lora_alpha=16, target_modules=linears, task_type="CAUSAL_LM"))
model.config.use_cache = False
tokens = torch.randint(10, model.config.vocab_size - 10, (batch, length), device="cuda")
seconds = []
for _ in range(steps):
    torch.cuda.synchronize()
    start = time.perf_counter()
    model(input_ids=tokens, labels=tokens).loss.backward()
    torch.cuda.synchronize()
    seconds.append(time.perf_counter() - start)
    model.zero_grad()
rate = batch * length / statistics.median(seconds[2:])
print(json.dumps({"tok_s": rate, "memory_mib": torch.cuda.max_memory_allocated() / 2**20}))
