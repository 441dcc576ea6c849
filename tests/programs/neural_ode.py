"""A neural ordinary differential equation fitted to a spiral: Runge-Kutta 4, gradients by the adjoint method in a custom Function."""
import torch
import torch.nn as nn
from shared import init


class ODEFunc(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 24), nn.Tanh(), nn.Linear(24, 2))

    def forward(self, t, y):
        return self.net(y ** 3)


def rk4(f, y, t0, t1):
    h = t1 - t0
    k1 = f(t0, y)
    k2 = f(t0 + h / 2, y + h / 2 * k1)
    k3 = f(t0 + h / 2, y + h / 2 * k2)
    k4 = f(t1, y + h * k3)
    return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def odeint(f, y0, t):
    ys = [y0]
    for t0, t1 in zip(t[:-1], t[1:]):
        ys.append(rk4(f, ys[-1], t0, t1))
    return torch.stack(ys)


class Adjoint(torch.autograd.Function):
    @staticmethod
    def forward(ctx, func, t, y0, *params):
        with torch.no_grad():
            ys = odeint(func, y0, t)
        ctx.func = func
        ctx.save_for_backward(t, ys, *params)
        return ys

    @staticmethod
    def backward(ctx, grad_ys):
        t, ys, *params = ctx.saved_tensors
        a, grads = grad_ys[-1], [torch.zeros_like(p) for p in params]
        for i in range(len(t) - 1, 0, -1):
            with torch.enable_grad():
                y = ys[i - 1].detach().requires_grad_(True)
                step = rk4(ctx.func, y, t[i - 1], t[i])
                a, *dp = torch.autograd.grad(step, (y, *params), a, allow_unused=True)
            grads = [g + d for g, d in zip(grads, dp)]
            a = a + grad_ys[i - 1]
        return (None, None, a, *grads)


def main():
    true_A = torch.tensor([[-0.1, 2.0], [-2.0, -0.1]])
    t = torch.linspace(0.0, 2.5, 16)
    y0 = torch.tensor([[2.0, 0.0]])
    with torch.no_grad():
        target = odeint(lambda t, y: torch.mm(y ** 3, true_A), y0, t / 10)
    func = init(ODEFunc())
    optimizer = torch.optim.RMSprop(func.parameters(), lr=5e-3)
    for step in range(20):
        optimizer.zero_grad()
        if step % 2:
            pred_y = odeint(func, y0, t / 10)
        else:
            pred_y = Adjoint.apply(func, t / 10, y0, *func.parameters())
        loss = torch.mean(torch.abs(pred_y - target))
        loss.backward()
        optimizer.step()
        yield loss.item()
