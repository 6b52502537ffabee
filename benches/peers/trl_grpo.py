"""Steps of TRL's GRPO on the CPU. Usage: trl_grpo.py MODEL_DIR --prompt IDS [--steps N --rollouts G --tokens T --kl BETA]

One prompt, given as comma-separated token ids, G rollouts of exactly T tokens (ends are suppressed), LoRA of rank 8 on all linears, AdamW,
32-bit floats, as many threads as NT says, no gradient checkpointing, which would be slower. Prints JSON: `seconds` of each step,
`rss_mib`, `prompt_tokens` and `completion_tokens` as TRL saw them.
"""
import argparse, json, os, resource, tempfile, time

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

ap = argparse.ArgumentParser()
ap.add_argument("model"); ap.add_argument("--prompt", required=True)
ap.add_argument("--steps", type=int, default=3); ap.add_argument("--rollouts", type=int, default=8)
ap.add_argument("--tokens", type=int, default=128); ap.add_argument("--kl", type=float, default=0.001)
a = ap.parse_args()
torch.manual_seed(0)
torch.set_num_threads(int(os.environ.get("NT", "2")))
tokenizer = AutoTokenizer.from_pretrained(a.model)
tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
ids = [int(i) for i in a.prompt.split(",")]
prompt = tokenizer.decode(ids)
seen = []


def reward(completions, completion_ids, **_):
    """Anything that differs between rollouts."""
    seen.append([len(c) for c in completion_ids])
    return [float(sum(i % 7 for i in c)) for c in completion_ids]


class Clock(TrainerCallback):
    seconds = []

    def on_step_begin(self, *_, **__):
        self.begin = time.perf_counter()

    def on_step_end(self, *_, **__):
        self.seconds.append(time.perf_counter() - self.begin)


config = GRPOConfig(
    output_dir=tempfile.mkdtemp(), report_to="none", use_cpu=True, bf16=False, gradient_checkpointing=False, disable_tqdm=True,
    per_device_train_batch_size=a.rollouts, num_generations=a.rollouts, gradient_accumulation_steps=1, max_steps=a.steps,
    max_completion_length=a.tokens, generation_kwargs={"min_new_tokens": a.tokens}, temperature=1.0, beta=a.kl, learning_rate=2e-4,
    save_strategy="no", logging_strategy="no",
)
model = AutoModelForCausalLM.from_pretrained(a.model, dtype=torch.float32, attn_implementation="sdpa")
linears = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
trainer = GRPOTrainer(
    model=model, reward_funcs=reward, args=config, train_dataset=Dataset.from_dict({"prompt": [prompt] * (a.steps * a.rollouts)}),
    processing_class=tokenizer, peft_config=LoraConfig(r=8, lora_alpha=16, target_modules=linears, task_type="CAUSAL_LM"),
    callbacks=[Clock()],
)
trainer.train()
print(json.dumps({
    "seconds": Clock.seconds, "rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "prompt_tokens": len(tokenizer(prompt, add_special_tokens=False)["input_ids"]), "completion_tokens": seen,
}))
