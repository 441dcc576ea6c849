# What the scripted session of gdb looks at from Python.
import _C

a = _C.ones(3).requires_grad_()
b = (a + a).exp()
b.sum().backward()
