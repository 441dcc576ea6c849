/* Fits a sine with a small network, saves it as safetensors and reads it back.
 * cc -std=c99 regression.c $(pkg-config --cflags --libs tapegrad) */
#include <stdio.h>
#include <stdlib.h>
#include <tapegrad/c.h>

static void must(tg_status status) {
  if (status != TG_OK) {
    fprintf(stderr, "%s\n", tg_last_error());
    exit(1);
  }
}

static tg_tensor *call(const char *op, int n, const tg_value *args) {
  tg_tensor *result = NULL;
  must(tg_call(op, args, n, &result));
  return result;
}

/* op(a, b); frees what it is told to, as chains of ops make tensors that nobody else holds */
static tg_tensor *binary(const char *op, tg_tensor *a, const tg_tensor *b, int free_a) {
  const tg_value args[] = {tg_arg_tensor(a), tg_arg_tensor(b)};
  tg_tensor *result = call(op, 2, args);
  if (free_a) tg_tensor_free(a);
  return result;
}

static tg_tensor *normal(int64_t rows, int64_t columns, double scale) {
  const int64_t shape[] = {rows, columns};
  const tg_value size = tg_arg_ints(shape, 2);
  tg_tensor *t = call("randn", 1, &size);
  const tg_value args[] = {tg_arg_tensor(t), tg_arg_float(scale)};
  must(tg_call("mul_", args, 2, NULL));
  must(tg_set_requires_grad(t, 1));
  return t;
}

static tg_tensor *model(tg_tensor *const *p, tg_tensor *x) {
  tg_tensor *h = binary("add", binary("matmul", x, p[0], 0), p[1], 1);
  const tg_value args[] = {tg_arg_tensor(h)};
  tg_tensor *active = call("tanh", 1, args);
  tg_tensor_free(h);
  return binary("add", binary("matmul", active, p[2], 1), p[3], 1);
}

int main(void) {
  const char *const names[] = {"fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"};
  tg_tensor *p[4], *x, *y, *again[4];
  tg_list *file = NULL;
  double loss_value = 0, difference = 0;
  int step, k;

  if (tg_abi_version() != TG_ABI_VERSION) return fprintf(stderr, "another tapegrad than the header's\n"), 1;
  must(tg_manual_seed(0));
  p[0] = normal(1, 32, 2), p[1] = normal(1, 32, 1), p[2] = normal(32, 1, 0.3), p[3] = normal(1, 1, 0);
  {
    const tg_value args[] = {tg_arg_float(-3), tg_arg_float(3), tg_arg_int(64)};
    const int64_t shape[] = {64, 1};
    tg_tensor *line = call("linspace", 3, args);
    const tg_value reshape[] = {tg_arg_tensor(line), tg_arg_ints(shape, 2)};
    x = call("reshape", 2, reshape);
    tg_tensor_free(line);
  }
  {
    const tg_value args[] = {tg_arg_tensor(x)};
    y = call("sin", 1, args);
  }

  for (step = 0; step < 500; step++) {
    tg_tensor *out = model(p, x), *loss = binary("mse_loss", out, y, 1);
    must(tg_backward(loss, NULL, 0, 0));
    must(tg_tensor_item(loss, &loss_value));
    tg_tensor_free(loss);
    {
      const int32_t before = tg_no_grad_enter();
      for (k = 0; k < 4; k++) {
        tg_tensor *g = NULL;
        must(tg_grad(p[k], &g));
        {
          const tg_value args[] = {tg_arg_tensor(p[k]), tg_arg_tensor(g), tg_named("alpha", tg_arg_float(0.05))};
          must(tg_call("sub_", args, 3, NULL));
        }
        must(tg_set_grad(p[k], NULL));
        tg_tensor_free(g);
      }
      tg_no_grad_leave(before);
    }
    if (step % 100 == 0) printf("step %3d  loss %.4f\n", step, loss_value);
  }
  printf("step %3d  loss %.4f\n", step, loss_value);

  must(tg_save("sine-c.safetensors", names, (const tg_tensor *const *)p, 4));
  must(tg_load("sine-c.safetensors", &file));
  for (k = 0; k < 4; k++) again[k] = tg_list_find(file, names[k]);
  {
    tg_tensor *a = model(p, x), *b = model(again, x), *d = binary("dist", a, b, 1);
    must(tg_tensor_item(d, &difference));
    tg_tensor_free(b);
    tg_tensor_free(d);
  }
  printf("read back from sine-c.safetensors: %s\n", difference == 0 ? "the same" : "not the same");

  for (k = 0; k < 4; k++) tg_tensor_free(p[k]), tg_tensor_free(again[k]);
  tg_tensor_free(x), tg_tensor_free(y);
  tg_list_free(file);
  return loss_value < 0.05 && difference == 0 ? 0 : 1;
}
