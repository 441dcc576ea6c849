# For gdb: prints tensors, and lets `step` walk past the accessors. Load it with: source tapegrad_gdb.py
