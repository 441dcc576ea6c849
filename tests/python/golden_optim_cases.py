"""Cases of test_optim.py that need golden numbers: shared with tests/golden/make_optim.py, which asks PyTorch."""
STEPS = 4
PARAMETER = [0.5, -1.5, 2.0, 0.0, -0.25]
OPTIMIZERS = [
    ("SGD", dict(lr=0.1)), ("SGD", dict(lr=0.1, momentum=0.9, dampening=0.3, weight_decay=0.05)),
    ("SGD", dict(lr=0.1, momentum=0.9, nesterov=True, maximize=True)),
    ("Adam", dict()), ("Adam", dict(lr=0.1, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1, amsgrad=True)),
    ("AdamW", dict(lr=0.1, weight_decay=0.2)), ("RMSprop", dict()),
    ("RMSprop", dict(lr=0.02, alpha=0.9, momentum=0.5, centered=True, weight_decay=0.1)),
    ("Adagrad", dict(lr=0.1, lr_decay=0.1, initial_accumulator_value=0.3)), ("Adadelta", dict(rho=0.8)), ("Adamax", dict(lr=0.1)),
    ("NAdam", dict(lr=0.1)), ("RAdam", dict(lr=0.1, betas=(0.5, 0.6))),
    ("ASGD", dict(lr=0.5, lambd=0.01, t0=1.0, weight_decay=0.1)), ("Rprop", dict(lr=0.5, etas=(0.4, 1.3))),
    ("Adafactor", dict(lr=0.1, weight_decay=0.1, d=2.0)),
]
SCHEDULES = [
    ("StepLR", dict(step_size=3)), ("MultiStepLR", dict(milestones=[2, 5, 5], gamma=0.5)), ("ExponentialLR", dict(gamma=0.9)),
    ("ConstantLR", dict(factor=0.3, total_iters=4)), ("LinearLR", dict(start_factor=0.2, total_iters=6)),
    ("PolynomialLR", dict(total_iters=7, power=2.0)), ("CosineAnnealingLR", dict(T_max=5, eta_min=0.01)),
    ("CosineAnnealingWarmRestarts", dict(T_0=3, T_mult=2)), ("CyclicLR", dict(base_lr=0.01, max_lr=0.2, step_size_up=3, step_size_down=5)),
    ("OneCycleLR", dict(max_lr=0.5, total_steps=12)), ("OneCycleLR", dict(max_lr=0.5, total_steps=12, anneal_strategy="linear", three_phase=True)),
]


def gradient(step):
    """What each step is given, whatever the parameter."""
    return [((7 * i + 3 * step) % 11 - 5) / 4 for i in range(len(PARAMETER))]


def run_optimizer(lib, name, options):
    """The parameter after each step, in float64."""
    p = lib.tensor(PARAMETER, dtype=lib.float64, requires_grad=True)
    optimizer, out = getattr(lib.optim, name)([p], **options), []
    for step in range(STEPS):
        p.grad = lib.tensor(gradient(step), dtype=lib.float64)
        optimizer.step()
        out.append(p.detach().tolist())
    return out


def run_schedule(lib, name, options):
    """lr and momentum in each epoch."""
    optimizer = lib.optim.SGD([lib.zeros(1).requires_grad_()], lr=0.1, momentum=0.9)
    schedule, out = getattr(lib.optim.lr_scheduler, name)(optimizer, **options), []
    for _ in range(12):
        out.append([optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["momentum"]])
        optimizer.step()
        schedule.step()
    return out
