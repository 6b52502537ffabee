//! The language model: weights, tokenizer, chat template, decoder, LoRA, key-value cache, sampler, trace.
