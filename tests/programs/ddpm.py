"""A denoising diffusion model on digits: a cosine schedule of noise, time embeddings, an exponential average of the weights, sampling."""
import math

import torch
import torch.nn.functional as F
from shared import digits, init, normal, rng
from torch import nn


def exists(x):
    return x is not None


class SinusoidalPosEmb(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dim = dim

    def forward(self, x):
        half_dim = self.dim // 2
        emb = math.log(10000) / (half_dim - 1)
        emb = torch.exp(torch.arange(half_dim, device=x.device) * -emb)
        emb = x[:, None] * emb[None, :]
        return torch.cat((emb.sin(), emb.cos()), dim=-1)


class Block(nn.Module):
    def __init__(self, dim, dim_out, time_dim):
        super().__init__()
        self.proj = nn.Conv2d(dim, dim_out, 3, padding=1)
        self.norm = nn.GroupNorm(4, dim_out)
        self.act = nn.SiLU()
        self.mlp = nn.Sequential(nn.SiLU(), nn.Linear(time_dim, dim_out * 2))

    def forward(self, x, t):
        scale, shift = self.mlp(t).unsqueeze(-1).unsqueeze(-1).chunk(2, dim=1)
        return self.act(self.norm(self.proj(x)) * (scale + 1) + shift)


class Model(nn.Module):
    def __init__(self, width=8, time_dim=16):
        super().__init__()
        self.time = nn.Sequential(SinusoidalPosEmb(time_dim), nn.Linear(time_dim, time_dim), nn.Mish(), nn.Linear(time_dim, time_dim))
        self.blocks = nn.ModuleList([Block(1, width, time_dim), Block(width, width * 2, time_dim), Block(width * 2, width, time_dim)])
        self.out = nn.Conv2d(width, 1, 1)

    def forward(self, x, time):
        t = self.time(time.float())
        for block in self.blocks:
            x = block(x, t)
        return self.out(x)


def cosine_beta_schedule(timesteps, s=0.008):
    t = torch.linspace(0, timesteps, timesteps + 1, dtype=torch.float64) / timesteps
    alphas_cumprod = torch.cos((t + s) / (1 + s) * math.pi * 0.5) ** 2
    alphas_cumprod = alphas_cumprod / alphas_cumprod[0]
    return torch.clip(1 - alphas_cumprod[1:] / alphas_cumprod[:-1], 0, 0.999)


def extract(a, t, x_shape):
    b, *_ = t.shape
    return a.gather(-1, t).reshape(b, *((1,) * (len(x_shape) - 1)))


class GaussianDiffusion(nn.Module):
    def __init__(self, model, timesteps=50):
        super().__init__()
        self.model, self.num_timesteps = model, timesteps
        betas = cosine_beta_schedule(timesteps)
        alphas_cumprod = torch.cumprod(1.0 - betas, dim=0)
        previous = F.pad(alphas_cumprod[:-1], (1, 0), value=1.0)

        def register(name, value):
            self.register_buffer(name, value.to(torch.float32))
        register("betas", betas)
        register("sqrt_alphas_cumprod", torch.sqrt(alphas_cumprod))
        register("sqrt_one_minus_alphas_cumprod", torch.sqrt(1.0 - alphas_cumprod))
        register("sqrt_recip_alphas", torch.sqrt(1.0 / (1.0 - betas)))
        register("posterior_variance", betas * (1.0 - previous) / (1.0 - alphas_cumprod))

    def forward(self, x_start, t, noise):
        noisy = extract(self.sqrt_alphas_cumprod, t, x_start.shape) * x_start \
            + extract(self.sqrt_one_minus_alphas_cumprod, t, x_start.shape) * noise
        return F.mse_loss(self.model(noisy, t), noise)

    @torch.inference_mode()
    def p_sample(self, x, time):
        t = torch.full((x.shape[0],), time, dtype=torch.long)
        mean = extract(self.sqrt_recip_alphas, t, x.shape) * (
            x - extract(self.betas, t, x.shape) * self.model(x, t) / extract(self.sqrt_one_minus_alphas_cumprod, t, x.shape))
        return mean if time == 0 else mean + extract(self.posterior_variance, t, x.shape).sqrt() * torch.randn_like(x)


def main():
    images, _ = digits()
    diffusion = GaussianDiffusion(init(Model()))
    optimizer = torch.optim.RAdam(diffusion.parameters(), lr=1e-2)
    ema = {k: v.detach().clone() for k, v in diffusion.model.state_dict().items()}
    r = rng(3)
    for step in range(20):
        x = images[step * 32:(step + 1) * 32] * 2 - 1
        t = torch.from_numpy(r.randint(0, diffusion.num_timesteps, len(x))).long()
        loss = diffusion(x, t, normal(*x.shape, seed=step))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        for k, v in diffusion.model.state_dict().items():
            ema[k].mul_(0.9).add_(v, alpha=0.1)
        yield loss.item()
    diffusion.model.load_state_dict(ema)
    img = torch.randn(2, 1, 8, 8)
    for t in reversed(range(0, diffusion.num_timesteps)):
        img = diffusion.p_sample(img, t)
    assert img.isfinite().all()
