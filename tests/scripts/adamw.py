"""The numbers that `src/training/optimizer.rs` expects of AdamW: the published formula, in double precision.

Where PyTorch is at hand, `--torch` prints what torch.optim.AdamW makes of the same gradients.
"""

import math
import sys

RATE, BETA1, BETA2, EPSILON, DECAY = 0.01, 0.9, 0.999, 1e-8, 0.1
START = [0.5, -1.25, 2.0]


def gradient(step):
    return [0.1 * step, -0.2, math.sin(step * 0.7)]


def by_formula():
    theta, mean, square = list(START), [0.0] * 3, [0.0] * 3
    for t in range(1, 11):
        for i, g in enumerate(gradient(t)):
            theta[i] *= 1 - RATE * DECAY
            mean[i] = BETA1 * mean[i] + (1 - BETA1) * g
            square[i] = BETA2 * square[i] + (1 - BETA2) * g * g
            theta[i] -= RATE * (mean[i] / (1 - BETA1**t)) / (math.sqrt(square[i] / (1 - BETA2**t)) + EPSILON)
    return theta


def by_torch():
    import torch

    theta = torch.nn.Parameter(torch.tensor(START, dtype=torch.float64))
    optimizer = torch.optim.AdamW([theta], lr=RATE, betas=(BETA1, BETA2), eps=EPSILON, weight_decay=DECAY)
    for t in range(1, 11):
        theta.grad = torch.tensor(gradient(t), dtype=torch.float64)
        optimizer.step()
    return theta.tolist()


print(", ".join(f"{value:.7f}" for value in (by_torch() if "--torch" in sys.argv else by_formula())))
